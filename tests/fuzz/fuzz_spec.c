/* SPDX-License-Identifier: MIT
 *
 * Any text as a link's specification, a size, a time, a rate. What parses is
 * written out, and that must parse to the same.
 */
#include <stdlib.h>
#include <string.h>

#include "cli/units.h"
#include "sim/spec.h"
#include "tests/fuzz/fuzz.h"

static void spec(const char *text)
{
    struct link_config config, back;
    char error[SPEC_ERROR_MAX], again[SPEC_TEXT_MAX];
    memset(&config, 0, sizeof config);
    memset(&back, 0, sizeof back);
    if (!link_spec_parse(text, &config, error)) {
        if (strlen(error) == 0 || strlen(error) >= sizeof error)
            abort();
        return;
    }
    link_spec_format(&config, again);
    if (strlen(again) >= sizeof again || !link_spec_parse(again, &back, error) ||
        memcmp(&config, &back, sizeof config) != 0)
        abort();
}

static void units(const char *text)
{
    uint64_t number;
    uint32_t ppm;
    char out[UNIT_TEXT_MAX];
    spec_rate(text, &number);
    spec_time(text, &number);
    spec_bytes(text, &number);
    spec_percent(text, &ppm);
    parse_count(text, &number);
    if (parse_size(text, &number)) {
        format_size(number, out);
        format_rate((double)number, out);
    }
    if (parse_seconds(text, &number))
        format_time(number, out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1);
    if (size)
        memcpy(text, data, size);
    text[size] = '\0';
    spec(text);
    units(text);
    free(text);
    return 0;
}
