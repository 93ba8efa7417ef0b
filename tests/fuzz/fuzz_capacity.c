/* SPDX-License-Identifier: MIT
 *
 * Any bytes as a trace of capacity. What parses is sorted, and asking it for the
 * first chance from a time on gives one that is not before, where the one before
 * it is.
 */
#include <stdlib.h>
#include <string.h>

#include "sim/capacity.h"
#include "tests/fuzz/fuzz.h"

static void ask(const struct capacity *c, uint64_t start_us, uint64_t at_us)
{
    uint64_t n = capacity_after(c, start_us, at_us);
    if (capacity_at(c, start_us, n) < at_us || (n && capacity_at(c, start_us, n - 1) >= at_us))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char error[CAPACITY_ERROR_MAX] = "";
    char *text = malloc(size ? size : 1); /* no longer: reading beyond shows */
    if (size)
        memcpy(text, data, size);
    struct capacity *c = capacity_parse(text, size, error);
    if (!c && strlen(error) < 10)
        abort();
    for (uint32_t i = 0; c && i < c->count; i++) {
        if (i && c->ms[i] < c->ms[i - 1])
            abort();
        ask(c, 1000000, 1000000 + c->ms[i] * UINT64_C(1000));
        ask(c, 1000000, 1000001 + c->period_us + c->ms[i] * UINT64_C(1000));
        ask(c, 1000000, i);
    }
    if (c)
        capacity_rate(c);
    free(c);
    free(text);
    return 0;
}
