/* SPDX-License-Identifier: MIT
 *
 * The messages of the 0-RTT TCP Convert Protocol (RFC 8803 6), to and from bytes.
 * Pure functions. A message is the first thing in each direction of a connection
 * between a client and a Transport Converter; what follows it is the user's.
 *
 * One TLV is not in the RFC, which knows no names: NAME, of the range for private
 * use (RFC 8803 10.2.2). It has the form of Connect with a name in the place of the
 * address, for clients whose names only the far end can resolve. A Converter that
 * does not know it answers Unsupported Message, as section 6.2.8 has it.
 */
#ifndef PROXY_CONVERT_H
#define PROXY_CONVERT_H

#include "plait/types.h"

enum {
    CONVERT_VERSION = 1,
    CONVERT_MAGIC = 0x2263,
    CONVERT_HEAD_BYTES = 4,
    CONVERT_BYTES_MAX = 1020, /* 255 words, the header included */
    CONVERT_NAME_MAX = 255
};

enum convert_type {
    CONVERT_INFO = 1,
    CONVERT_CONNECT = 10,
    CONVERT_HEADER = 20,     /* Extended TCP Header: options of the server's SYN/ACK */
    CONVERT_EXTENSIONS = 21, /* Supported TCP Extensions */
    CONVERT_COOKIE = 22,
    CONVERT_ERROR = 30,
    CONVERT_NAME = 224 /* private use */
};

/* RFC 8803 6.2.8, table 2. X(NAME, value, text) */
#define CONVERT_ERRORS(X)                                                                          \
    X(UNSUPPORTED_VERSION, 0, "unsupported version of the Convert Protocol")                       \
    X(MALFORMED, 1, "malformed message")                                                           \
    X(UNSUPPORTED_MESSAGE, 2, "unsupported message")                                               \
    X(MISSING_COOKIE, 3, "missing cookie")                                                         \
    X(NOT_AUTHORIZED, 32, "not authorized")                                                        \
    X(UNSUPPORTED_OPTION, 33, "unsupported TCP option")                                            \
    X(RESOURCE_EXCEEDED, 64, "the proxy server is out of resources")                               \
    X(NETWORK_FAILURE, 65, "the proxy server's network failed")                                    \
    X(CONNECTION_RESET, 96, "the destination refused the connection")                              \
    X(UNREACHABLE, 97, "the destination cannot be reached")                                        \
    X(NO_NAME, 192, "the name does not resolve at the proxy server") /* private use */

enum convert_error {
#define X(name, value, text) CONVERT_E_##name = value,
    CONVERT_ERRORS(X)
#undef X
};
const char *convert_error_text(unsigned code);

/* Bytes inside a message, which lives longer. */
struct convert_span {
    const uint8_t *at;
    size_t len;
};

/* What a message says. A span includes the zeroes that it was padded with. */
struct convert_message {
    bool info, connect, header, extensions, cookie, error, name; /* which TLVs are there */
    struct plait_endpoint peer;                                  /* connect; the port of name too */
    struct convert_span options;                                 /* connect: TCP options wanted */
    struct convert_span header_bytes, kinds, cookie_bytes;
    unsigned error_code;
    struct convert_span error_value; /* after the code */
    char host[CONVERT_NAME_MAX + 1]; /* name */
};

/* What these first bytes begin: how long the message is; 0: more than these bytes
 * are needed; -1: no message of this protocol, or one of length zero: the
 * connection is to be reset (6.1). An unknown version is a message. */
int convert_length(const uint8_t *bytes, size_t len);

/* A whole message, of convert_length bytes. CONVERT_GOOD, or the code of the error
 * that a Converter has to answer with; a client resets (6.2.1, 6.2.2). */
enum { CONVERT_GOOD = -1 };
int convert_decode(const uint8_t *bytes, size_t len, struct convert_message *out);

/* One TCP option after another of `options`, END and NOP and padding left out.
 * False: no more, or the rest makes no sense (*at is then less than its length). */
struct convert_option {
    uint8_t kind;
    struct convert_span value;
};
bool convert_option_next(const struct convert_span *options, size_t *at,
                         struct convert_option *out);

/* ---- writing ---------------------------------------------------------------- */

/* Each put appends a TLV; what does not fit sets `full`, and then there is no
 * message. Begin, put, end. */
struct convert_writer {
    uint8_t bytes[CONVERT_BYTES_MAX];
    size_t len;
    bool full;
};
void convert_begin(struct convert_writer *w);
void convert_put_info(struct convert_writer *w);
/* options: kinds to ask for, without values; count 0: the base form. */
void convert_put_connect(struct convert_writer *w, const struct plait_endpoint *peer,
                         const uint8_t *kinds, size_t count);
void convert_put_name(struct convert_writer *w, const char *name, uint16_t port);
void convert_put_header(struct convert_writer *w, const void *options, size_t len);
void convert_put_extensions(struct convert_writer *w, const uint8_t *kinds, size_t count);
/* Where the cookie's bytes begin in w->bytes. */
size_t convert_put_cookie(struct convert_writer *w, const void *cookie, size_t len);
/* value: follows the code; cut where it does not fit. */
void convert_put_error(struct convert_writer *w, unsigned code, const void *value, size_t len);
/* Sets Total Length. False: it did not fit. */
bool convert_end(struct convert_writer *w);

#endif
