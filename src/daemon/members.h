/* SPDX-License-Identifier: MIT
 *
 * Members of a request, which may be missing or of the wrong kind. The latter: false,
 * and *answer says so, the caller's to release.
 */
#ifndef DAEMON_MEMBERS_H
#define DAEMON_MEMBERS_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

/* The answer that says: "name" is `kind`. */
json_t *member_wrong(const char *name, const char *kind);
/* Not given: 0. */
bool member_number(const json_t *request, const char *name, uint32_t *out, bool *given,
                   json_t **answer);
/* Not given: NULL. */
bool member_text(const json_t *request, const char *name, const char **out, json_t **answer);
/* Not given: -1; else 0 or 1. */
bool member_flag(const json_t *request, const char *name, int *out, json_t **answer);

#endif
