/* SPDX-License-Identifier: MIT
 *
 * The list of calls is a table: what is missing from it fails with EPERM, so
 * that a libc that does something in a new way shows an error instead of dying.
 */
#include "daemon/drop.h"

#include <cap-ng.h>
#include <errno.h>
#include <seccomp.h>
#include <string.h>
#include <sys/prctl.h>

#include "host/fail.h"

int drop_capabilities(struct host_error *err)
{
    static const unsigned kept[] = {CAP_NET_RAW, CAP_NET_ADMIN, CAP_NET_BIND_SERVICE};
    bool have[sizeof kept / sizeof kept[0]];

    for (unsigned i = 0; i < sizeof kept / sizeof kept[0]; i++)
        have[i] = capng_have_capability(CAPNG_PERMITTED, kept[i]) == 1;
    capng_clear(CAPNG_SELECT_BOTH);
    for (unsigned i = 0; i < sizeof kept / sizeof kept[0]; i++)
        if (have[i])
            capng_update(CAPNG_ADD, CAPNG_EFFECTIVE | CAPNG_PERMITTED, kept[i]);
    /* The bounding set too, where we may; without CAP_SETPCAP there is nothing in it that
     * this process could get back. */
    if (capng_apply(CAPNG_SELECT_BOTH) != 0 && capng_apply(CAPNG_SELECT_CAPS) != 0)
        return host_fail(err, HOST_FAIL_PERMISSION, "cannot give up capabilities: %s",
                         strerror(errno));
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        return host_fail(err, HOST_FAIL_PERMISSION, "cannot give up new privileges: %s",
                         strerror(errno));
    return HOST_OK;
}

/* What the loop, its drivers, the settings file and plug-ins use. */
static const char *const calls[] = {
    /* time, memory, threads, the end */
    "clock_gettime", "clock_nanosleep", "gettimeofday", "nanosleep", "brk", "mmap", "mprotect",
    "mremap", "munmap", "madvise", "futex", "sched_yield", "sched_getaffinity", "getcpu", "gettid",
    "getpid", "getrandom", "rseq", "set_robust_list", "exit", "exit_group", "membarrier",
    /* signals */
    "rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "sigaltstack", "signalfd4", "tgkill",
    "restart_syscall",
    /* descriptors */
    "read", "readv", "write", "writev", "pread64", "close", "close_range", "dup", "dup3", "fcntl",
    "ioctl", "lseek", "fstat", "newfstatat", "fstatfs", "poll", "ppoll", "epoll_create1",
    "epoll_ctl", "epoll_wait", "epoll_pwait", "epoll_pwait2", "eventfd2", "timerfd_create",
    "timerfd_settime", "pipe2",
    /* files: settings, plug-ins, captures, quotas, sockets of ours */
    "openat", "access", "faccessat", "faccessat2", "readlink", "readlinkat", "unlink", "unlinkat",
    "rename", "renameat", "renameat2", "fsync", "fdatasync", "ftruncate", "flock", "getdents64",
    "mkdir", "statx", "umask",
    /* sockets */
    "socket", "socketpair", "bind", "connect", "listen", "accept4", "getsockname", "getpeername",
    "getsockopt", "setsockopt", "sendto", "sendmsg", "sendmmsg", "recvfrom", "recvmsg", "recvmmsg",
    "shutdown",
    /* who we are and who calls */
    "getuid", "geteuid", "getgid", "getegid", "getppid", "uname", "prlimit64", "getrusage",
    "sysinfo"};

/* Never by accident, and what an intruder wants first. */
static const char *const deadly[] = {
    "execve",  "execveat",          "fork",        "vfork", "ptrace",       "process_vm_readv",
    "mount",   "process_vm_writev", "init_module", "setns", "finit_module", "kexec_load",
    "unshare", "pivot_root",        "bpf"};

static int add(scmp_filter_ctx filter, uint32_t action, const char *const *names, size_t count)
{
    int error = 0;

    for (size_t i = 0; i < count && !error; i++) {
        int number = seccomp_syscall_resolve_name(names[i]);
        if (number != __NR_SCMP_ERROR) /* this architecture has it */
            error = seccomp_rule_add(filter, action, number, 0);
    }
    return error;
}

int drop_calls(struct host_error *err)
{
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
    int error = filter ? 0 : -ENOMEM;

    if (!error)
        error = add(filter, SCMP_ACT_ALLOW, calls, sizeof calls / sizeof calls[0]);
    if (!error)
        error = add(filter, SCMP_ACT_KILL_PROCESS, deadly, sizeof deadly / sizeof deadly[0]);
    if (!error)
        error = seccomp_load(filter);
    if (filter)
        seccomp_release(filter);
    return error ? host_fail(err, HOST_FAIL_PERMISSION,
                             "cannot give up system calls: %s; --no-sandbox goes without",
                             strerror(-error))
                 : HOST_OK;
}

int drop_privileges(struct host_error *err)
{
    int failure = drop_capabilities(err);

    return failure ? failure : drop_calls(err);
}
