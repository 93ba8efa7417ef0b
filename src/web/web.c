/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/addr.h"
#include "control/control.h"
#include "host/fail.h"
#include "web/parts.h"

enum { IDLE_SECONDS = 15, CONNECTION_BYTES = 32768 };

/* What the build made of page/: see meson.build. */
extern const unsigned char web_html[], web_css[], web_js[];
extern const unsigned web_html_len, web_css_len, web_js_len;

/* ---- answers --------------------------------------------------------------- */

/* With every answer: nothing of elsewhere is loaded, nobody frames or keeps it. */
static const char *const headers[][2] = {
    {"Content-Security-Policy",
     "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
     "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"},
    {"X-Content-Type-Options", "nosniff"},
    {"Referrer-Policy", "no-referrer"},
    {"Cross-Origin-Resource-Policy", "same-origin"},
    {"Cache-Control", "no-store"},
};

/* Takes the response over; NULL: out of memory, which ends the connection. */
static enum MHD_Result send_response(struct MHD_Connection *conn, unsigned code, const char *type,
                                     struct MHD_Response *r)
{
    if (!r)
        return MHD_NO;
    for (unsigned i = 0; i < sizeof headers / sizeof headers[0]; i++)
        MHD_add_response_header(r, headers[i][0], headers[i][1]);
    MHD_add_response_header(r, "Content-Type", type);
    enum MHD_Result result = MHD_queue_response(conn, code, r);
    MHD_destroy_response(r);
    return result;
}

static enum MHD_Result send_text(struct MHD_Connection *conn, unsigned code, const char *text)
{
    return send_response(conn, code, "text/plain; charset=utf-8",
                         MHD_create_response_from_buffer(strlen(text), (void *)(uintptr_t)text,
                                                         MHD_RESPMEM_PERSISTENT));
}

/* Takes text over. */
static enum MHD_Result send_made(struct MHD_Connection *conn, const char *type, char *text,
                                 size_t len)
{
    struct MHD_Response *r =
        text ? MHD_create_response_from_buffer(len, text, MHD_RESPMEM_MUST_FREE) : NULL;

    if (!r)
        free(text);
    return send_response(conn, MHD_HTTP_OK, type, r);
}

static enum MHD_Result send_file(struct MHD_Connection *conn, const char *type,
                                 const unsigned char *bytes, unsigned len)
{
    return send_response(conn, MHD_HTTP_OK, type,
                         MHD_create_response_from_buffer(len, (void *)(uintptr_t)bytes,
                                                         MHD_RESPMEM_PERSISTENT));
}

/* Takes o over. */
static enum MHD_Result send_json(struct MHD_Connection *conn, json_t *o)
{
    char *text = json_dumps(o, JSON_COMPACT);

    json_decref(o);
    return send_made(conn, "application/json", text, text ? strlen(text) : 0);
}

json_t *web_status(struct web *w, bool counters, unsigned limit)
{
    json_t *request = json_pack("{s:s s:b s:I}", "do", "status", "counters", counters, "limit",
                                (json_int_t)limit);
    json_t *status = daemon_ask(w->daemon, request);

    json_decref(request);
    json_object_del(status, "page");
    json_object_del(status, "page_token");
    json_object_set_new(status, "control", json_boolean(w->options.control));
    return status;
}

/* ---- what is served where -------------------------------------------------- */

struct request {
    char body[WEB_BODY_MAX];
    size_t len;
    bool too_long;
};

typedef enum MHD_Result serve_fn(struct web *w, struct MHD_Connection *conn,
                                 const struct request *r);

static enum MHD_Result serve_html(struct web *w, struct MHD_Connection *conn,
                                  const struct request *r)
{
    (void)w;
    (void)r;
    return send_file(conn, "text/html; charset=utf-8", web_html, web_html_len);
}

static enum MHD_Result serve_css(struct web *w, struct MHD_Connection *conn,
                                 const struct request *r)
{
    (void)w;
    (void)r;
    return send_file(conn, "text/css; charset=utf-8", web_css, web_css_len);
}

static enum MHD_Result serve_js(struct web *w, struct MHD_Connection *conn, const struct request *r)
{
    (void)w;
    (void)r;
    return send_file(conn, "text/javascript; charset=utf-8", web_js, web_js_len);
}

static enum MHD_Result serve_status(struct web *w, struct MHD_Connection *conn,
                                    const struct request *r)
{
    (void)r;
    return send_json(conn, web_status(w, true, UINT32_MAX));
}

static enum MHD_Result serve_metrics(struct web *w, struct MHD_Connection *conn,
                                     const struct request *r)
{
    size_t len = 0;
    json_t *status = web_status(w, true, 0);
    char *text = metrics_text(status, &len);
    (void)r;

    json_decref(status);
    return send_made(conn, "text/plain; version=0.0.4; charset=utf-8", text, len);
}

static enum MHD_Result serve_events(struct web *w, struct MHD_Connection *conn,
                                    const struct request *r)
{
    struct MHD_Response *stream = stream_response(w, conn);
    (void)r;

    return stream ? send_response(conn, MHD_HTTP_OK, "text/event-stream", stream)
                  : send_text(conn, MHD_HTTP_SERVICE_UNAVAILABLE, "too many viewers\n");
}

/* A request as the control socket takes them, of those that are about one connection. */
static bool allowed(const json_t *request)
{
    const char *name = json_string_value(json_object_get(request, "do"));

    return json_object_get(request, "conn") &&
           (strcmp(name, "set") == 0 || strcmp(name, "close") == 0);
}

static enum MHD_Result serve_control(struct web *w, struct MHD_Connection *conn,
                                     const struct request *r)
{
    const char *given = MHD_lookup_connection_value(conn, MHD_HEADER_KIND, "X-Plait-Token");
    json_t *answer = NULL;

    if (!guard_token(w->token, given))
        return send_text(conn, MHD_HTTP_FORBIDDEN,
                         w->options.control ? "open the page with the address that plait status "
                                              "tells root\n"
                                            : "plaitd takes no changes here: --http-control\n");
    if (r->too_long)
        return send_text(conn, MHD_HTTP_CONTENT_TOO_LARGE, "a request is at most 4096 bytes\n");
    json_t *request = control_parse(r->body, r->len, &answer);
    if (request)
        answer = allowed(request)
                     ? daemon_ask(w->daemon, request)
                     : control_failed(CONTROL_BAD_REQUEST, "here: set and close of a connection");
    json_decref(request);
    return send_json(conn, answer);
}

static const struct {
    const char *method, *url;
    serve_fn *serve;
} routes[] = {
    {"GET", "/", serve_html},
    {"GET", "/page.css", serve_css},
    {"GET", "/page.js", serve_js},
    {"GET", "/events", serve_events},
    {"GET", "/status.json", serve_status},
    {"GET", "/metrics", serve_metrics},
    {"POST", "/control", serve_control},
};

static enum MHD_Result serve(struct web *w, struct MHD_Connection *conn, const char *url,
                             const char *method, const struct request *r)
{
    const char *host = MHD_lookup_connection_value(conn, MHD_HEADER_KIND, "Host");
    const char *origin = MHD_lookup_connection_value(conn, MHD_HEADER_KIND, "Origin");
    bool there = false;

    if (!guard_host(&w->options.at, host) || !guard_origin(host, origin))
        return send_text(conn, MHD_HTTP_FORBIDDEN, "not from there\n");
    for (unsigned i = 0; i < sizeof routes / sizeof routes[0]; i++) {
        if (strcmp(url, routes[i].url) != 0)
            continue;
        if (strcmp(method, routes[i].method) == 0)
            return routes[i].serve(w, conn, r);
        there = true;
    }
    return there ? send_text(conn, MHD_HTTP_METHOD_NOT_ALLOWED, "not this way\n")
                 : send_text(conn, MHD_HTTP_NOT_FOUND, "there is no such page\n");
}

/* Called for the head, for each piece of the body, and at the end. */
static enum MHD_Result on_request(void *ctx, struct MHD_Connection *conn, const char *url,
                                  const char *method, const char *version, const char *data,
                                  size_t *len, void **state)
{
    struct request *r = *state;
    (void)version;

    if (!r) {
        *state = calloc(1, sizeof *r);
        return *state ? MHD_YES : MHD_NO;
    }
    if (*len == 0)
        return serve(ctx, conn, url, method, r);
    if (r->len + *len > sizeof r->body)
        r->too_long = true;
    else {
        memcpy(r->body + r->len, data, *len);
        r->len += *len;
    }
    *len = 0;
    return MHD_YES;
}

static void on_done(void *ctx, struct MHD_Connection *conn, void **state,
                    enum MHD_RequestTerminationCode how)
{
    (void)ctx;
    (void)conn;
    (void)how;
    free(*state);
}

/* ---- the loop -------------------------------------------------------------- */

static void turn(void *ctx)
{
    struct web *w = ctx;
    struct host *h = daemon_host(w->daemon);
    MHD_UNSIGNED_LONG_LONG ms;

    w->woken = false;
    MHD_run(w->http);
    bool due = MHD_get_timeout(w->http, &ms) == MHD_YES;
    if (w->woken) { /* by what was asked just now, of which that knows nothing */
        due = true;
        ms = 0;
    }
    host_timer_set(h, w->http_due, due ? host_now(h) + ms * 1000 : UINT64_MAX);
}

static void on_ready(void *ctx, int fd, unsigned events)
{
    (void)fd;
    (void)events;
    turn(ctx);
}

static void on_look(void *ctx)
{
    stream_look(ctx);
}

static void on_event(void *ctx, const struct plait_event *e)
{
    stream_event(ctx, e);
}

/* ---- opening and closing --------------------------------------------------- */

/* A listening socket, or -1 (errno). */
static int listen_at(const struct plait_endpoint *at)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(at->port)};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(at->port)};
    bool is_v4 = at->addr.family == PLAIT_IPV4;
    int fd = socket(is_v4 ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0),
        on = 1;

    memcpy(&v4.sin_addr, at->addr.bytes, sizeof v4.sin_addr);
    memcpy(&v6.sin6_addr, at->addr.bytes, sizeof v6.sin6_addr);
    if (fd < 0)
        return -1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(fd, is_v4 ? (struct sockaddr *)&v4 : (struct sockaddr *)&v6,
             is_v4 ? sizeof v4 : sizeof v6) == 0 &&
        listen(fd, WEB_CONNECTIONS_MAX) == 0)
        return fd;
    int error = errno;
    close(fd);
    errno = error;
    return -1;
}

static int open_http(struct web *w, struct host_error *err)
{
    char text[ENDPOINT_TEXT_MAX];
    int fd = listen_at(&w->options.at);

    if (fd < 0)
        return host_fail(err, errno == EADDRINUSE ? HOST_FAIL_PORT : HOST_FAIL_ADDRESS,
                         "the page cannot be served at %s: %s",
                         endpoint_format(&w->options.at, text), strerror(errno));
    w->http = MHD_start_daemon(MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME, 0, NULL, NULL, on_request,
                               w, MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_CONNECTION_LIMIT,
                               (unsigned)WEB_CONNECTIONS_MAX, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
                               (size_t)CONNECTION_BYTES, MHD_OPTION_CONNECTION_TIMEOUT,
                               (unsigned)IDLE_SECONDS, MHD_OPTION_NOTIFY_COMPLETED, on_done, NULL,
                               MHD_OPTION_END);
    if (!w->http) {
        close(fd);
        return host_fail(err, HOST_FAIL_OTHER, "libmicrohttpd does not start");
    }
    w->epoll_fd = MHD_get_daemon_info(w->http, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd;
    return HOST_OK;
}

static bool draw_token(struct web *w)
{
    unsigned char random[16];

    if (!w->options.control)
        return true;
    if (getrandom(random, sizeof random, 0) != sizeof random)
        return false;
    for (unsigned i = 0; i < sizeof random; i++)
        snprintf(w->token + 2 * i, 3, "%02x", random[i]);
    return true;
}

int web_open(struct daemon *d, const struct web_options *options, struct web **out,
             struct host_error *err)
{
    struct web *w = calloc(1, sizeof *w);
    struct host *h = daemon_host(d);
    char text[ENDPOINT_TEXT_MAX];

    if (!w)
        return host_fail(err, HOST_FAIL_OTHER, "out of memory");
    *w = (struct web){.daemon = d, .options = *options};
    list_init(&w->viewers);
    int failure = open_http(w, err);
    if (failure) {
        free(w);
        return failure;
    }
    w->http_due = host_timer_new(h, turn, w);
    w->look_due = host_timer_new(h, on_look, w);
    if (!w->http_due || !w->look_due || !draw_token(w) ||
        host_watch(h, w->epoll_fd, HOST_IN, on_ready, w) != 0) {
        web_close(w);
        return host_fail(err, HOST_FAIL_OTHER, "out of memory");
    }
    snprintf(w->url, sizeof w->url, "http://%s/", endpoint_format(&options->at, text));
    daemon_watch(d, &(struct plait_event_sink){w, on_event});
    daemon_page(d, w->url, w->token);
    *out = w;
    return HOST_OK;
}

void web_close(struct web *w)
{
    if (!w)
        return;
    struct host *h = daemon_host(w->daemon);
    daemon_page(w->daemon, NULL, NULL);
    daemon_watch(w->daemon, NULL);
    stream_end(w);
    MHD_run(w->http);
    host_watch(h, w->epoll_fd, 0, NULL, NULL);
    MHD_stop_daemon(w->http);
    host_timer_free(h, w->http_due);
    host_timer_free(h, w->look_due);
    free(w);
}
