/* SPDX-License-Identifier: MIT */
#include "pattern.h"

#include <string.h>

enum { PERIOD = 65521 };

static const uint8_t *period(void)
{
    static uint8_t bytes[PERIOD];
    static bool made;
    uint32_t x = 1;

    for (size_t i = 0; !made && i < PERIOD; i++) {
        x = (x * 1103515245u + 12345u) & 0x7fffffff;
        bytes[i] = (uint8_t)(x >> 16);
    }
    made = true;
    return bytes;
}

const uint8_t *pattern_at(uint64_t offset, size_t *len)
{
    *len = PERIOD - offset % PERIOD;
    return period() + offset % PERIOD;
}

bool pattern_matches(uint64_t offset, const uint8_t *bytes, size_t len)
{
    for (size_t done = 0; done < len;) {
        size_t n;
        const uint8_t *wanted = pattern_at(offset + done, &n);
        if (n > len - done)
            n = len - done;
        if (memcmp(wanted, bytes + done, n) != 0)
            return false;
        done += n;
    }
    return true;
}
