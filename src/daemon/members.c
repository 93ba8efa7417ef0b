/* SPDX-License-Identifier: MIT */
#include "daemon/members.h"

#include "control/control.h"

json_t *member_wrong(const char *name, const char *kind)
{
    return control_failed(CONTROL_BAD_REQUEST, "\"%s\" is %s", name, kind);
}

bool member_number(const json_t *request, const char *name, uint32_t *out, bool *given,
                   json_t **answer)
{
    const json_t *value = json_object_get(request, name);

    *given = value != NULL;
    json_int_t number = value ? json_integer_value(value) : 0;
    if (value && (!json_is_integer(value) || number < 0 || number > UINT32_MAX)) {
        *answer = member_wrong(name, "a number from 0 to 4294967295");
        return false;
    }
    *out = (uint32_t)number;
    return true;
}

bool member_text(const json_t *request, const char *name, const char **out, json_t **answer)
{
    const json_t *value = json_object_get(request, name);

    *out = value ? json_string_value(value) : NULL;
    if (value && !*out)
        *answer = member_wrong(name, "a text");
    return !value || *out;
}

bool member_flag(const json_t *request, const char *name, int *out, json_t **answer)
{
    const json_t *value = json_object_get(request, name);

    *out = value ? json_is_true(value) : -1;
    if (value && !json_is_boolean(value))
        *answer = member_wrong(name, "true or false");
    return !value || json_is_boolean(value);
}
