#include "cloud/call_class.h"

static enum call_class class_of_fault(enum call_fault fault)
{
    switch (fault) {
    case FAULT_ADDRESS:
    case FAULT_UNSAFE:
    case FAULT_REFUSED: /* whoever sends mail looks at the reply code first */
    case FAULT_URL: return CLASS_FATAL;
    case FAULT_NONE:
    case FAULT_RESOLVE:
    case FAULT_CONNECT:
    case FAULT_TLS:
    case FAULT_TIMEOUT:
    case FAULT_CUT:
    case FAULT_TOO_LONG:
    case FAULT_OTHER: break;
    }
    return CLASS_RETRY;
}

enum call_class call_class_of(const struct http_result *result)
{
    if (result->fault != FAULT_NONE || result->status == 0) return class_of_fault(result->fault);
    if (result->status >= 200 && result->status < 300) return CLASS_OK;
    if (result->status >= 500 && result->status < 600) return CLASS_RETRY;
    switch (result->status) {
    case 401:
    case 403: return CLASS_AUTH;
    case 404: return CLASS_GONE;
    case 408:
    case 425: return CLASS_RETRY;
    case 429: return CLASS_THROTTLED;
    default: break;
    }
    return CLASS_FATAL;
}
