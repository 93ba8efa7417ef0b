/* SPDX-License-Identifier: MIT
 *
 * libplait-preload.so gets into a program by its dynamic linker. A program without
 * one, or one that runs with more rights than its caller, would ignore it without
 * a word, so it is looked at first.
 */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/run.h"

enum { INTERPRETERS_MAX = 4, HEAD_MAX = 256, SEGMENTS_MAX = 512 };

static bool runnable(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 && S_ISREG(st.st_mode) && access(path, X_OK) == 0;
}

static bool search(const char *command, char *path)
{
    const char *dirs = getenv("PATH");

    if (strchr(command, '/')) {
        snprintf(path, PATH_MAX, "%s", command);
        return access(path, F_OK) == 0;
    }
    for (const char *at = dirs ? dirs : "/usr/bin:/bin"; *at;) {
        size_t len = strcspn(at, ":");
        int n = snprintf(path, PATH_MAX, "%.*s%s%s", (int)len, at, len ? "/" : "", command);
        if (n < PATH_MAX && runnable(path))
            return true;
        at += len + (at[len] == ':');
    }
    return false;
}

/* Does the program ask for a dynamic linker? */
static bool has_interpreter(int fd, const Elf64_Ehdr *head)
{
    Elf64_Phdr segment;

    for (unsigned i = 0; i < head->e_phnum && i < SEGMENTS_MAX; i++) {
        off_t at = (off_t)(head->e_phoff + (uint64_t)i * head->e_phentsize);
        if (pread(fd, &segment, sizeof segment, at) != sizeof segment)
            return false;
        if (segment.p_type == PT_INTERP)
            return true;
    }
    return false;
}

static const char *elf_trouble(int fd, const unsigned char *bytes, ssize_t len)
{
    Elf64_Ehdr head;

    if (len < (ssize_t)sizeof head)
        return "it is no program that this system can run";
    memcpy(&head, bytes, sizeof head);
    if (head.e_ident[EI_CLASS] != (sizeof(void *) == 8 ? ELFCLASS64 : ELFCLASS32))
        return "it is a program of another word size than plait";
    return has_interpreter(fd, &head) ? NULL
                                      : "it is linked statically, so that a library cannot be "
                                        "put between it and the system";
}

static const char *rights_trouble(int fd)
{
    struct stat st;

    if (fstat(fd, &st) != 0)
        return strerror(errno);
    if ((st.st_mode & S_ISUID && st.st_uid != geteuid()) ||
        (st.st_mode & S_ISGID && st.st_mode & S_IXGRP && st.st_gid != getegid()))
        return "it runs with another user's rights (setuid or setgid), so that the system "
               "keeps libraries of the caller's out";
    return NULL;
}

/* The program that a script names in its first line, into path. */
static bool script_program(char *head, ssize_t len, char *path)
{
    head[len] = 0;
    char *name = head + 2 + strspn(head + 2, " \t");
    name[strcspn(name, " \t\n")] = 0;
    if (!*name || strlen(name) >= PATH_MAX)
        return false;
    memmove(path, name, strlen(name) + 1);
    return true;
}

int run_find(const char *command, char *path)
{
    char program[PATH_MAX];
    const char *trouble = NULL;

    if (!search(command, path)) {
        cli_error("there is no command '%s'", command);
        return RUN_NOT_FOUND;
    }
    snprintf(program, sizeof program, "%s", path);
    for (unsigned i = 0; i < INTERPRETERS_MAX; i++) {
        char head[HEAD_MAX + 1];
        int fd = open(program, O_RDONLY | O_CLOEXEC);
        if (fd < 0 || access(program, X_OK) != 0) {
            cli_error("'%s' cannot be run: %s", program, strerror(errno));
            if (fd >= 0)
                close(fd);
            return RUN_CANNOT;
        }
        ssize_t len = read(fd, head, HEAD_MAX);
        bool script = len > 2 && memcmp(head, "#!", 2) == 0;
        if (!script && len >= SELFMAG && memcmp(head, ELFMAG, SELFMAG) == 0)
            trouble = elf_trouble(fd, (unsigned char *)head, len);
        if (!trouble && !script)
            trouble = rights_trouble(fd);
        close(fd);
        if (trouble || !script || !script_program(head, len, program))
            break;
    }
    if (!trouble)
        return HOST_OK;
    cli_error("'%s' cannot be carried: %s", program, trouble);
    return RUN_CANNOT;
}
