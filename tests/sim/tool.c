/* SPDX-License-Identifier: MIT
 *
 * `plait sim` without the rest of plait, for the test run.
 */
#include "cli/cli.h"

int main(int argc, char **argv)
{
    cli_set_name("sim");
    return cmd_sim(argc, argv);
}
