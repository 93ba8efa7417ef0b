/* SPDX-License-Identifier: MIT
 *
 * The library in ten lines: fetch a page over as many paths as there are.
 *
 *   fetch HOST [PORT [PATH]]
 */
#include <plait/socket.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void fail(const char *why)
{
    fprintf(stderr, "fetch: %s\n", why);
    exit(EXIT_FAILURE);
}

int main(int argc, char **argv)
{
    const char *name = argc > 1 ? argv[1] : "127.0.0.1", *path = argc > 3 ? argv[3] : "/";
    uint16_t port = argc > 2 ? (uint16_t)atoi(argv[2]) : 80;
    char why[PLAIT_TEXT_MAX], text[1024], buffer[16384];
    struct plait_host *host;
    struct plait_socket *s;
    int64_t n;

    if (plait_host_open(NULL, &host, why) < 0)
        fail(why);
    if (plait_socket_open(host, &s) < 0 || plait_socket_connect_name(s, name, port, why) < 0)
        fail(why);
    snprintf(text, sizeof text, "GET %s HTTP/1.0\r\nHost: %s\r\n\r\n", path, name);
    if (plait_socket_send(s, text, strlen(text)) < 0)
        fail("the request was not sent");
    while ((n = plait_socket_recv(s, buffer, sizeof buffer)) > 0)
        fwrite(buffer, 1, (size_t)n, stdout);
    if (n < 0)
        fail(plait_error_text((int)n));
    plait_socket_close(s);
    plait_host_close(host, 1000000);
    return EXIT_SUCCESS;
}
