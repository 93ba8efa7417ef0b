/* SPDX-License-Identifier: MIT */
#include "cli/service.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "cli/cli.h"
#include "daemon/drop.h"

const char *service_folder(const char *given, const char *name, char out[CONTROL_PATH_MAX])
{
    const char *named = given ? given : getenv("PLAIT_FOLDER");
    const char *own = getenv("XDG_RUNTIME_DIR");

    if (named && *named)
        snprintf(out, CONTROL_PATH_MAX, "%s", named);
    else if (geteuid() != 0 && own && *own)
        snprintf(out, CONTROL_PATH_MAX, "%s/%s", own, name);
    else
        snprintf(out, CONTROL_PATH_MAX, "/run/%s", name);
    return out;
}

/* systemd waits for this where the unit says Type=notify. */
static void notify_ready(void)
{
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    static const char text[] = "READY=1";

    if (!path || strlen(path) >= sizeof at.sun_path)
        return;
    memcpy(at.sun_path, path, strlen(path));
    socklen_t len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path));
    if (at.sun_path[0] == '@')
        at.sun_path[0] = 0;
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && sendto(fd, text, sizeof text - 1, 0, (struct sockaddr *)&at, len) < 0)
        cli_error("systemd cannot be told that we are ready: %s", strerror(errno));
    if (fd >= 0)
        close(fd);
}

/* What it is there for is open; err says what failed. */
static int run(const struct service *s, struct daemon *d, struct host_error *err)
{
    int failure = s->no_sandbox ? HOST_OK : drop_privileges(err);

    if (failure)
        return failure;
    fprintf(stderr, "ready: %s; sockets in %s\n", host_driver(daemon_host(d))->describe,
            s->daemon.folder);
    notify_ready();
    return daemon_run(d, err);
}

int service_run(const struct service *s)
{
    struct web *web = NULL;
    struct host_error err;
    struct daemon *d;
    int failure = daemon_open(&s->daemon, &d, &err);

    if (failure) {
        cli_error("%s", err.text);
        return failure;
    }
    failure = s->web.at.port ? web_open(d, &s->web, &web, &err) : HOST_OK;
    if (!failure && s->open)
        failure = s->open(s->ctx, d, &err);
    if (!failure)
        failure = run(s, d, &err);
    if (failure)
        cli_error("%s", err.text);
    if (s->close)
        s->close(s->ctx);
    web_close(web);
    daemon_close(d);
    return failure;
}
