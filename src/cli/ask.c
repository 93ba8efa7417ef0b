/* SPDX-License-Identifier: MIT */
#include "cli/ask.h"

#include <errno.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/units.h"

#define AT(field) offsetof(struct ask_options, field)
const struct option_row ask_rows[] = {
    {0, "folder", "PATH", OPTION_TEXT, AT(folder),
     "of the daemon's sockets (default: $PLAIT_FOLDER, then\n$XDG_RUNTIME_DIR/plait, then "
     "/run/plait)",
     NULL, 0},
    {'j', "json", NULL, OPTION_FLAG, AT(json), "the daemon's answer as it comes: JSON", NULL, 0},
    {0},
};

struct control *ask_open(const struct ask_options *o, int *failure)
{
    char folder[CONTROL_PATH_MAX];
    struct control *c = control_open(o->folder);

    *failure = HOST_OK;
    if (c)
        return c;
    control_folder(o->folder, folder);
    if (errno == EACCES || errno == EPERM) {
        cli_error("the daemon in '%s' is not for this user: ask to be in its group (plaitd "
                  "--group)",
                  folder);
        *failure = HOST_FAIL_PERMISSION;
    } else {
        cli_error("no plaitd answers in '%s': start one (plaitd), or name its folder with "
                  "--folder",
                  folder);
        *failure = HOST_FAIL_UNREACHABLE;
    }
    return NULL;
}

static int failure_of(const char *error)
{
    static const struct {
        const char *error;
        int failure;
    } rows[] = {
        {"not-permitted", HOST_FAIL_PERMISSION},
        {"failed", HOST_FAIL_OTHER},
        {"no-address", HOST_FAIL_ADDRESS},
    };

    for (unsigned i = 0; error && i < sizeof rows / sizeof rows[0]; i++)
        if (strcmp(error, rows[i].error) == 0)
            return rows[i].failure;
    return HOST_FAIL_USAGE;
}

json_t *ask(struct control *c, json_t *request, int *failure)
{
    json_t *answer = control_ask(c, request);

    if (json_is_true(json_object_get(answer, "ok"))) {
        *failure = HOST_OK;
        return answer;
    }
    const char *text = json_string_value(json_object_get(answer, "text"));
    if (text) {
        cli_error("%s", text);
        *failure = failure_of(json_string_value(json_object_get(answer, "error")));
    } else {
        cli_error("the daemon went away");
        *failure = HOST_FAIL_TRANSFER;
    }
    json_decref(answer);
    return NULL;
}

int ask_once(const struct ask_options *o, json_t *request)
{
    int failure;
    struct control *c = ask_open(o, &failure);

    if (!c) {
        json_decref(request);
        return failure;
    }
    json_t *answer = ask(c, request, &failure);
    if (answer && o->json) {
        json_dumpf(answer, stdout, JSON_COMPACT);
        putchar('\n');
    }
    json_decref(answer);
    control_close(c);
    return failure;
}

bool ask_number(const char *text, const char *what, uint32_t *out)
{
    uint64_t number;

    if (!parse_count(text, &number) || number > UINT32_MAX) {
        cli_error("'%s' is no %s's number: plait status shows them", text, what);
        return false;
    }
    *out = (uint32_t)number;
    return true;
}
