/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "cli/demo.h"

enum { PIECE_BYTES = 1 << 20 };

static int unnamed_file(void)
{
    const char *folder = getenv("TMPDIR");
    char path[4096];

    snprintf(path, sizeof path, "%s/plait-demo-XXXXXX", folder && *folder ? folder : "/tmp");
    int fd = mkostemp(path, O_CLOEXEC);
    if (fd >= 0)
        unlink(path);
    return fd;
}

int demo_file_new(uint64_t size)
{
    uint64_t seed;
    struct prng prng;
    uint64_t *piece = malloc(PIECE_BYTES);
    int fd = unnamed_file();

    if (!piece || fd < 0 || getrandom(&seed, sizeof seed, 0) != sizeof seed)
        goto fail;
    prng_seed(&prng, seed);
    while (size > 0) {
        size_t part = size < PIECE_BYTES ? (size_t)size : PIECE_BYTES;
        for (size_t i = 0; i < PIECE_BYTES / sizeof *piece; i++)
            piece[i] = prng_next(&prng);
        if (write(fd, piece, part) != (ssize_t)part)
            goto fail;
        size -= part;
    }
    free(piece);
    return fd;
fail:
    if (fd >= 0)
        close(fd);
    free(piece);
    return -1;
}

bool demo_file_sha(int fd, char *text)
{
    struct sha256_ctx ctx;
    uint8_t digest[SHA256_DIGEST_SIZE];
    uint8_t *piece = malloc(PIECE_BYTES);
    uint64_t at = 0;
    ssize_t n = -1;

    sha256_init(&ctx);
    while (piece && (n = pread(fd, piece, PIECE_BYTES, (off_t)at)) > 0) {
        sha256_update(&ctx, (size_t)n, piece);
        at += (uint64_t)n;
    }
    free(piece);
    if (n != 0)
        return false;
    sha256_digest(&ctx, sizeof digest, digest);
    for (size_t i = 0; i < sizeof digest; i++)
        snprintf(text + 2 * i, 3, "%02x", digest[i]);
    return true;
}
