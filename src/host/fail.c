/* SPDX-License-Identifier: MIT */
#include "host/fail.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/addr.h"

enum { PATH_SHOWN_MAX = 128 };

int host_fail(struct host_error *err, enum host_failure failure, const char *format, ...)
{
    va_list args;

    if (!err)
        return (int)failure;
    err->failure = failure;
    va_start(args, format);
    vsnprintf(err->text, sizeof err->text, format, args);
    va_end(args);
    return (int)failure;
}

static void program_path(char *buf, size_t size)
{
    ssize_t n = readlink("/proc/self/exe", buf, size - 1);

    if (n <= 0)
        n = snprintf(buf, size, "PROGRAM");
    buf[n] = '\0';
}

static int fail_permission(struct host_error *err, const char *driver)
{
    bool tun = strcmp(driver, "tun") == 0;
    const char *capability = tun ? "CAP_NET_ADMIN" : "CAP_NET_RAW";
    const char *lower = tun ? "cap_net_admin" : "cap_net_raw";
    char path[PATH_SHOWN_MAX];

    program_path(path, sizeof path);
    return host_fail(err, HOST_FAIL_PERMISSION,
                     "the %s driver needs the capability %s: run 'sudo setcap %s+ep %s' once, "
                     "or run as root%s",
                     driver, capability, lower, path,
                     tun ? "" : "; with CAP_NET_ADMIN alone, --tun gives a device of our own");
}

int fail_driver(struct host_error *err, const char *driver, int error)
{
    switch (error) {
    case -EPERM:
    case -EACCES:
        return fail_permission(err, driver);
    case -ENOENT:
    case -ENODEV:
    case -ENXIO:
    case -EAFNOSUPPORT:
    case -ENOPROTOOPT:
        return host_fail(err, HOST_FAIL_DRIVER, "this system has no support for the %s driver: %s",
                         driver, strerror(-error));
    case -EBUSY:
        return host_fail(err, HOST_FAIL_DRIVER,
                         "the device of the %s driver is in use: choose "
                         "another name",
                         driver);
    case -EINVAL:
        return host_fail(err, HOST_FAIL_USAGE,
                         "the %s driver was given impossible settings: it "
                         "needs an address and a prefix with room for two",
                         driver);
    default:
        return host_fail(err, HOST_FAIL_OTHER, "the %s driver failed: %s", driver,
                         strerror(-error));
    }
}

int fail_threads(struct host_error *err, int error)
{
    char path[PATH_SHOWN_MAX];

    if (error != -EPERM && error != -EACCES)
        return fail_driver(err, "packet", error);
    program_path(path, sizeof path);
    return host_fail(err, HOST_FAIL_PERMISSION,
                     "several threads need the capabilities CAP_NET_RAW and CAP_BPF: run 'sudo "
                     "setcap cap_net_raw,cap_bpf+ep %s' once, or run as root, or leave --threads "
                     "away",
                     path);
}

int fail_port(struct host_error *err, uint16_t port, int error)
{
    char path[PATH_SHOWN_MAX];

    switch (error) {
    case -EADDRINUSE:
        return host_fail(err, HOST_FAIL_PORT,
                         "port %u is in use by another program: stop it or "
                         "choose another port ('ss -ltnp sport = :%u' shows it)",
                         port, port);
    case -EPERM:
        program_path(path, sizeof path);
        return host_fail(err, HOST_FAIL_PERMISSION,
                         "on this kernel, keeping it from answering on "
                         "our ports needs the capability CAP_NET_ADMIN: run 'sudo setcap "
                         "cap_net_raw,cap_net_admin+ep %s' once, or run as root",
                         path);
    case -EACCES:
        return host_fail(err, HOST_FAIL_PERMISSION,
                         "port %u is a privileged port: choose one "
                         "from 1024 up, or grant CAP_NET_BIND_SERVICE",
                         port);
    default:
        return host_fail(err, HOST_FAIL_OTHER, "port %u cannot be reserved: %s", port,
                         strerror(-error));
    }
}

int fail_file(struct host_error *err, const char *what, const char *path, int error)
{
    return host_fail(err, HOST_FAIL_FILE, "cannot write the %s file '%s': %s", what, path,
                     strerror(-error));
}

int fail_address(struct host_error *err, const struct plait_addr *addr)
{
    char text[ADDR_TEXT_MAX];

    return host_fail(err, HOST_FAIL_ADDRESS,
                     "%s is not an address of this host that can be used "
                     "now ('ip address' lists them)",
                     addr_format(addr, text));
}

static enum host_failure failure_of(int engine_error)
{
    switch (engine_error) {
    case PLAIT_E_INVALID:
    case PLAIT_E_UNKNOWN_NAME:
        return HOST_FAIL_USAGE;
    case PLAIT_E_IN_USE:
        return HOST_FAIL_PORT;
    case PLAIT_E_NO_ADDRESS:
        return HOST_FAIL_ADDRESS;
    case PLAIT_E_REFUSED:
    case PLAIT_E_TIMED_OUT:
    case PLAIT_E_UNREACHABLE:
        return HOST_FAIL_UNREACHABLE;
    case PLAIT_E_RESET:
    case PLAIT_E_PEER_CLOSED:
    case PLAIT_E_ABORTED:
    case PLAIT_E_PROTOCOL:
        return HOST_FAIL_TRANSFER;
    default:
        return HOST_FAIL_OTHER;
    }
}

int fail_engine(struct host_error *err, int engine_error, const struct plait_endpoint *remote)
{
    enum host_failure failure = failure_of(engine_error);
    char text[ENDPOINT_TEXT_MAX];

    if (remote)
        return host_fail(err, failure, "%s: %s", endpoint_format(remote, text),
                         plait_error_text(engine_error));
    return host_fail(err, failure, "%s", plait_error_text(engine_error));
}

void host_fail_of(int engine_error, const struct plait_endpoint *remote, struct host_error *err)
{
    fail_engine(err, engine_error, remote);
}
