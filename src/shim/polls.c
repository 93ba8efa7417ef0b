/* SPDX-License-Identifier: MIT
 *
 * Programs may give a socket to epoll before it connects. Such a registration is
 * for the file, not for the number, so it has to be made again for the channel;
 * and taken back from the kernel's socket, which lives on in the daemon.
 *
 * A table of the last ones, without a lock that could be waited for: who finds a
 * row busy leaves it alone.
 */
#include <errno.h>
#include <stdatomic.h>
#include <sys/epoll.h>

#include "shim/shim.h"

enum { ROWS = 1024, WAYS = 4 };

struct registration {
    int epoll_fd, fd;
    struct epoll_event event;
    bool used, moving; /* moving: taken back, not yet made again */
};

static struct row {
    atomic_flag busy;
    struct registration ways[WAYS];
} rows[ROWS];

static struct row *take(int fd)
{
    struct row *r = &rows[(unsigned)fd % ROWS];

    return atomic_flag_test_and_set(&r->busy) ? NULL : r;
}

static void give(struct row *r)
{
    atomic_flag_clear(&r->busy);
}

static struct registration *find(struct row *r, int epoll_fd, int fd)
{
    for (unsigned i = 0; i < WAYS; i++)
        if (r->ways[i].used && r->ways[i].fd == fd && r->ways[i].epoll_fd == epoll_fd)
            return &r->ways[i];
    return NULL;
}

static struct registration *room(struct row *r, int epoll_fd, int fd)
{
    struct registration *known = find(r, epoll_fd, fd);

    for (unsigned i = 0; !known && i < WAYS; i++)
        if (!r->ways[i].used)
            known = &r->ways[i];
    return known ? known : &r->ways[(unsigned)epoll_fd % WAYS];
}

void polls_note(int epoll_fd, int op, int fd, const struct epoll_event *event)
{
    struct sockaddr_storage peer;
    socklen_t len = sizeof peer;

    /* Cheap for what cannot follow: no stream socket, or connected already. */
    if (op == EPOLL_CTL_ADD &&
        (!kernel_stream(fd) || shim()->real.getpeername(fd, (struct sockaddr *)&peer, &len) == 0))
        return;
    struct row *r = take(fd);
    if (!r)
        return;
    struct registration *known =
        op == EPOLL_CTL_ADD ? room(r, epoll_fd, fd) : find(r, epoll_fd, fd);
    if (known)
        *known = op == EPOLL_CTL_DEL ? (struct registration){0}
                                     : (struct registration){epoll_fd, fd, *event, true, false};
    give(r);
}

void polls_detach(int fd)
{
    struct row *r = take(fd);

    for (unsigned i = 0; r && i < WAYS; i++) {
        struct registration *known = &r->ways[i];
        if (!known->used || known->fd != fd)
            continue;
        /* Not there: the number was closed, and is another file since. */
        known->moving = shim()->real.epoll_ctl(known->epoll_fd, EPOLL_CTL_DEL, fd, NULL) == 0;
        known->used = known->moving;
    }
    if (r)
        give(r);
}

void polls_attach(int fd)
{
    struct row *r = take(fd);

    for (unsigned i = 0; r && i < WAYS; i++) {
        struct registration *known = &r->ways[i];
        if (!known->used || !known->moving || known->fd != fd)
            continue;
        shim()->real.epoll_ctl(known->epoll_fd, EPOLL_CTL_ADD, fd, &known->event);
        *known = (struct registration){0};
    }
    if (r)
        give(r);
}
