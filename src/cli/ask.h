/* SPDX-License-Identifier: MIT
 *
 * Asking a running plaitd: what status, close, open, set, addr and events share.
 */
#ifndef CLI_ASK_H
#define CLI_ASK_H

#include "cli/options.h"
#include "control/control.h"

struct ask_options {
    const char *folder;
    bool json;
};
extern const struct option_row ask_rows[]; /* for struct ask_options */

/* The daemon's connection, or NULL: said. */
struct control *ask_open(const struct ask_options *o, int *failure);
/* Ask (the request is taken over). The answer, the caller's to release; NULL:
 * it was an error or there was none, which was said. */
json_t *ask(struct control *c, json_t *request, int *failure);
/* The same with a connection of its own, for requests whose answer is only "ok". */
int ask_once(const struct ask_options *o, json_t *request);

/* A connection's number: false when text is none (said). */
bool ask_number(const char *text, const char *what, uint32_t *out);

#endif
