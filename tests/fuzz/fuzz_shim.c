/* SPDX-License-Identifier: MIT
 *
 * Any bytes as what a program under libplait-preload.so may say to the daemon: a
 * request, the address in it, and the rules that the library reads.
 */
#include <assert.h>
#include <string.h>
#include <sys/socket.h>

#include "daemon/serve.h"
#include "shim/rules.h"
#include "tests/fuzz/fuzz.h"

static void look(const void *bytes, size_t len, int domain)
{
    struct plait_endpoint e, again;
    unsigned char back[SHIM_ADDR_MAX];

    if (message_address(bytes, len, domain, &e) != 0)
        return;
    uint32_t shown = message_sockaddr(&e, domain, back);
    assert(shown <= sizeof back);
    assert(message_address(back, shown, domain, &again) == 0);
    assert(memcmp(&e, &again, sizeof e) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct shim_request head;
    const void *more;
    static char text[RULES_TEXT_MAX];
    struct rules rules;

    if (message_request(data, size, &head, &more)) {
        assert(head.len == size - sizeof head);
        look(more, head.len, AF_INET);
        look(more, head.len, AF_INET6);
    }
    if (size >= sizeof text)
        return 0;
    memcpy(text, data, size);
    text[size] = 0;
    rules_parse(text, &rules);
    assert(rules.count <= RULES_MAX);
    return 0;
}
