/* What came of a call to somebody else's service, in the eight words that the scheduler knows. Each service's
 * own codes are sorted into them where that service is spoken to; this is what the HTTP status alone says. */
#ifndef HOMEPORT_CLOUD_CALL_CLASS_H
#define HOMEPORT_CLOUD_CALL_CLASS_H

#include "core/http_call.h"

/* The answer classes of every outside service; the scheduler knows only these. */
enum call_class {
    CLASS_OK,
    CLASS_UNCHANGED, /* it was so already: nothing was sent, or the provider said so */
    CLASS_RETRY,     /* passing fault */
    CLASS_THROTTLED, /* rate or quota; wait retry_after_ms */
    CLASS_CLOCK,     /* our time is off, and the one repeat with the other side's time failed too */
    CLASS_GONE, /* the thing named is not there (a provider normally resolves this by itself) */
    CLASS_AUTH, /* key, permission, balance: stop until the settings change */
    CLASS_FATAL /* the request can never work */
};

/* The default rule of the protocols page (2xx ok, 401 and 403 auth, 404 gone, 408 425 5xx retry, 429
 * throttled, other 4xx fatal), and what no answer at all means (mostly retry). */
enum call_class call_class_of(const struct http_result *result);

#endif
