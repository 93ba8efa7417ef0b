/* SPDX-License-Identifier: MIT
 *
 * Names of plug-ins on the command line: plait's own, and scripts.
 */
#ifndef CLI_NAMES_H
#define CLI_NAMES_H

/* NULL: the default. */
struct plugin_names {
    const char *cc, *scheduler, *path_manager;
};

/* They are there, and scripts among them can be loaded. HOST_OK, or a failure
 * that was said. */
int names_check(const struct plugin_names *names);

/* A script failed (plug_told): said once, however many connections use it. */
void names_say_failure(void *ctx, const char *message);

/* option_row.list: what there is, a line each. */
void names_list_cc(void);
void names_list_scheduler(void);
void names_list_path_manager(void);

#endif
