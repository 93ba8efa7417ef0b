/* SPDX-License-Identifier: MIT */
#include "control/control.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static const char *const error_names[] = {
#define X(id, name) [CONTROL_##id] = name,
    CONTROL_ERRORS(X)
#undef X
};

json_t *control_ok(json_t *more)
{
    json_t *o = json_pack("{s:i s:b}", "plait", CONTROL_VERSION, "ok", 1);

    if (more)
        json_object_update_new(o, more);
    return o;
}

json_t *control_failed(enum control_error error, const char *format, ...)
{
    char text[512];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    json_t *said = json_string(text);
    if (!said) /* a cut character at the end of a long name */
        said = json_string("the request names something that is no text");
    return json_pack("{s:i s:b s:s s:o}", "plait", CONTROL_VERSION, "ok", 0, "error",
                     error_names[error], "text", said);
}

json_t *control_parse(const char *line, size_t len, json_t **answer)
{
    json_error_t error;
    json_t *request = json_loadb(line, len, JSON_REJECT_DUPLICATES, &error);
    const json_t *version = json_object_get(request, "plait");

    *answer = NULL;
    if (!json_is_object(request))
        *answer = control_failed(CONTROL_BAD_REQUEST, "a request is one JSON object on a line%s%s",
                                 request ? "" : ": ", request ? "" : error.text);
    else if (!json_is_integer(version))
        *answer = control_failed(CONTROL_BAD_REQUEST, "a request has \"plait\": %d, the version",
                                 CONTROL_VERSION);
    else if (json_integer_value(version) != CONTROL_VERSION)
        *answer = control_failed(CONTROL_BAD_VERSION, "this daemon speaks version %d alone",
                                 CONTROL_VERSION);
    else if (!json_is_string(json_object_get(request, "do")))
        *answer = control_failed(CONTROL_BAD_REQUEST, "a request has a \"do\"");
    if (!*answer)
        return request;
    json_decref(request);
    return NULL;
}

/* ---- the client's side --------------------------------------------------- */

struct control {
    FILE *stream;
    char *line; /* control_next's, or what control_poll has read: `len` bytes */
    size_t room, len;
};

const char *control_folder(const char *folder, char out[CONTROL_PATH_MAX])
{
    const char *given = folder ? folder : getenv("PLAIT_FOLDER");
    const char *own = getenv("XDG_RUNTIME_DIR");
    char socket[CONTROL_PATH_MAX];

    if (given && *given) {
        snprintf(out, CONTROL_PATH_MAX, "%s", given);
        return out;
    }
    snprintf(out, CONTROL_PATH_MAX, "/run/plait");
    if (geteuid() == 0 || !own || !*own)
        return out;
    snprintf(socket, sizeof socket, "%s/plait/control", own);
    if (access(socket, F_OK) == 0)
        snprintf(out, CONTROL_PATH_MAX, "%s/plait", own);
    return out;
}

static int connect_to(const char *folder)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    snprintf(at.sun_path, sizeof at.sun_path, "%.90s/control", folder);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&at, sizeof at) != 0) {
        close(fd);
        fd = -1;
    }
    return fd;
}

struct control *control_open(const char *folder)
{
    char path[CONTROL_PATH_MAX];
    struct control *c = calloc(1, sizeof *c);
    int fd = connect_to(control_folder(folder, path));

    if (c && fd >= 0)
        c->stream = fdopen(fd, "r+");
    if (c && c->stream)
        return c;
    if (fd >= 0)
        close(fd);
    free(c);
    return NULL;
}

void control_close(struct control *c)
{
    if (!c)
        return;
    fclose(c->stream);
    free(c->line);
    free(c);
}

const char *control_next(struct control *c)
{
    return getline(&c->line, &c->room, c->stream) > 0 ? c->line : NULL;
}

/* Data sequence numbers have 64 bits, an integer of jansson's 63: then all of a line's
 * numbers become real ones. */
static json_t *load(const char *line, size_t len)
{
    json_t *o = json_loadb(line, len, 0, NULL);

    return o ? o : json_loadb(line, len, JSON_DECODE_INT_AS_REAL, NULL);
}

bool control_send(struct control *c, json_t *request)
{
    json_object_set_new(request, "plait", json_integer(CONTROL_VERSION));
    int failed = json_dumpf(request, c->stream, JSON_COMPACT);
    json_decref(request);
    return !failed && fputc('\n', c->stream) != EOF && fflush(c->stream) == 0;
}

json_t *control_ask(struct control *c, json_t *request)
{
    const char *line = control_send(c, request) ? control_next(c) : NULL;

    return line ? load(line, strlen(line)) : NULL;
}

int control_fd(const struct control *c)
{
    return fileno(c->stream);
}

/* Read what is there, behind what is there already. False: nothing came. */
static bool read_more(struct control *c, bool *gone)
{
    if (c->len == c->room) {
        size_t room = c->room ? 2 * c->room : CONTROL_LINE_MAX;
        char *line = realloc(c->line, room);
        *gone = !line;
        if (!line)
            return false;
        c->line = line;
        c->room = room;
    }
    ssize_t n = recv(fileno(c->stream), c->line + c->len, c->room - c->len, MSG_DONTWAIT);
    *gone = n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR);
    c->len += n > 0 ? (size_t)n : 0;
    return n > 0;
}

json_t *control_poll(struct control *c, bool *gone)
{
    char *end = c->len ? memchr(c->line, '\n', c->len) : NULL;

    for (*gone = false; !end;) {
        size_t had = c->len;
        if (!read_more(c, gone))
            return NULL;
        end = memchr(c->line + had, '\n', c->len - had);
    }
    json_t *line = load(c->line, (size_t)(end - c->line));
    c->len -= (size_t)(end + 1 - c->line);
    memmove(c->line, end + 1, c->len);
    *gone = !line;
    return line;
}
