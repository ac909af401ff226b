/* The names of settings: as keys (http.listen) and as variables, without their HOMEPORT_ (HTTP_LISTEN).
 * For core/config.c. */
#ifndef HOMEPORT_CORE_CONFIG_NAME_H
#define HOMEPORT_CORE_CONFIG_NAME_H

#include "core/config.h"

enum { SETTING_KEY_BYTES_MAX = 64 };

/* SETTING_COUNT when there is none. */
enum setting config_name_find(struct text name, bool is_variable);
/* The setting that was probably meant by an unknown name; SETTING_COUNT when none is near. */
enum setting config_name_nearest(struct text name);
/* A letter of a key as it stands in a variable. */
char config_name_letter(char c);

/* Ends in _FILE (a key also in _file): the value stands in a file. */
bool config_name_is_path(struct text name, bool is_variable);
/* An unknown variable that is Kubernetes' own, of a service whose name begins with homeport: ..SERVICE_HOST,
 * ..SERVICE_PORT[_NAME], ..PORT, ..PORT_8080_TCP and so on. Its value is looked at too: HOMEPORT_HTTP_PORT=8080 is
 * a slip and no such thing. */
bool config_name_is_of_kubernetes(struct text name, struct text value);
/* An unknown name whose value is better not shown. */
bool config_name_may_be_secret(struct text name);

#endif
