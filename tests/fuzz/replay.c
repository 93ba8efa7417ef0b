/* SPDX-License-Identifier: MIT
 *
 * Run a fuzz target over the files of a directory, without a fuzzer: any
 * compiler, any sanitizer, every test run. Inputs are copied to exactly
 * their size, and each is also tried cut short at every length.
 */
#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/fuzz/fuzz.h"

enum { INPUT_MAX = 1 << 20, CUT_MAX = 512 };

static void try_input(const uint8_t *data, size_t size)
{
    uint8_t *exact = malloc(size ? size : 1);
    memcpy(exact, data, size);
    LLVMFuzzerTestOneInput(exact, size);
    free(exact);
}

static bool replay(const char *path)
{
    static uint8_t data[INPUT_MAX];
    FILE *f = fopen(path, "rb");
    if (!f) {
        perror(path);
        return false;
    }
    size_t size = fread(data, 1, sizeof data, f);
    fclose(f);
    try_input(data, size);
    for (size_t cut = 0; cut < size && cut < CUT_MAX; cut++)
        try_input(data, cut);
    return true;
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: %s DIRECTORY\n", argv[0]);
        return 2;
    }
    DIR *dir = opendir(argv[1]);
    if (!dir) {
        perror(argv[1]);
        return 1;
    }
    unsigned count = 0;
    for (struct dirent *entry; (entry = readdir(dir));) {
        char path[4096];
        if (entry->d_name[0] == '.')
            continue;
        snprintf(path, sizeof path, "%s/%s", argv[1], entry->d_name);
        if (!replay(path))
            return 1;
        count++;
    }
    closedir(dir);
    printf("%u inputs\n", count);
    return count ? 0 : 1;
}
