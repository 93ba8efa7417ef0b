/* SPDX-License-Identifier: MIT
 *
 * What every fuzz target defines: libFuzzer calls it, or replay.c does.
 */
#ifndef TESTS_FUZZ_H
#define TESTS_FUZZ_H

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
