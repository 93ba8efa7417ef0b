/* SPDX-License-Identifier: MIT
 *
 * A server with a thread for each connection: sends back what comes, and says in
 * the end over how many paths it came.
 *
 *   echo PORT [CONNECTIONS]
 */
#include <plait/socket.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

static void *serve(void *ctx)
{
    struct plait_socket *s = ctx;
    struct plait_conn_info info;
    char buffer[16384];
    int64_t n;

    while ((n = plait_socket_recv(s, buffer, sizeof buffer)) > 0)
        if (plait_socket_send(s, buffer, (size_t)n) < 0)
            break;
    if (plait_socket_info(s, &info) == 0)
        fprintf(stderr, "%llu bytes over %u paths\n", (unsigned long long)info.bytes_received,
                info.subflows_total);
    plait_socket_close(s);
    return NULL;
}

int main(int argc, char **argv)
{
    struct plait_endpoint at = {.port = argc > 1 ? (uint16_t)atoi(argv[1]) : 7000};
    int count = argc > 2 ? atoi(argv[2]) : -1;
    char why[PLAIT_TEXT_MAX];
    struct plait_host *host;
    struct plait_socket *listener, *s;
    pthread_t thread;

    if (plait_host_open(NULL, &host, why) < 0 || plait_socket_open(host, &listener) < 0 ||
        plait_socket_bind(listener, &at) < 0 || plait_socket_listen(listener, 0, why) < 0) {
        fprintf(stderr, "echo: %s\n", why);
        return EXIT_FAILURE;
    }
    fprintf(stderr, "listening\n");
    while (count-- && plait_socket_accept(listener, &s) == 0)
        if (pthread_create(&thread, NULL, serve, s) != 0 ||
            (count ? pthread_detach(thread) : pthread_join(thread, NULL)) != 0)
            break;
    plait_socket_close(listener);
    plait_host_close(host, 1000000);
    return EXIT_SUCCESS;
}
