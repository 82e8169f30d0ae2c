/* lessons/assignments/judge/sandbox.c -- the table of system calls, and the filter built from it.
 *
 * The filter is a program for the kernel's seccomp, inherited through execve and impossible to
 * remove. A refused call raises SIGSYS, which the solver reports with the call's number; if the
 * submission has replaced the handler, the call is refused without a report. Some calls that the C
 * library makes at start-up fail quietly, and so does madvise, with which root can take pages of
 * memory away from the whole machine.
 * Source: the Linux kernel's userspace-api/seccomp_filter.rst.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE /* AT_EMPTY_PATH */
#include "lessons/assignments/judge/sandbox.h"

#include <stdio.h>

#if defined(__linux__) && defined(__has_include)
#if __has_include(<linux/seccomp.h>) && __has_include(<linux/filter.h>)
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#if defined(__x86_64__) && !defined(__ILP32__)
#define SANDBOX_ARCH AUDIT_ARCH_X86_64
#elif defined(__i386__)
#define SANDBOX_ARCH AUDIT_ARCH_I386
#elif defined(__aarch64__) && defined(__AARCH64EL__)
#define SANDBOX_ARCH AUDIT_ARCH_AARCH64
#elif defined(__riscv) && __riscv_xlen == 64
#define SANDBOX_ARCH AUDIT_ARCH_RISCV64
#elif defined(__powerpc64__) && defined(__LITTLE_ENDIAN__)
#define SANDBOX_ARCH AUDIT_ARCH_PPC64LE
#elif defined(__s390x__)
#define SANDBOX_ARCH AUDIT_ARCH_S390X
#endif
#endif
#endif

#ifdef SANDBOX_ARCH

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lessons/assignments/judge/grade.h"

/* What the filter does with a call. */
typedef enum SandboxRule {
    REFUSE,      /* SIGSYS, as for every call that is not in the table */
    ALLOW,
    FAIL,        /* returns EPERM: start-up code can do without the answer */
    NOT_EXEC,    /* allowed unless the third argument asks for executable memory */
    SELF_FIRST,  /* allowed if the first argument is the process itself */
    ONLY_ASK,    /* allowed if the first argument is 0 and the third is NULL */
    WITH_SECRET, /* allowed if the sixth argument, which the kernel ignores, is the secret */
} SandboxRule;

typedef struct SandboxCall {
    int         number;
    const char *name;
    SandboxRule rule;
} SandboxCall;

#define CALL(name, rule) {SYS_##name, #name, rule},
static const SandboxCall sandbox_call[] = {
    /* computing and printing */
    CALL(read, ALLOW) CALL(write, ALLOW) CALL(writev, ALLOW) CALL(brk, ALLOW)
    CALL(munmap, ALLOW) CALL(mremap, ALLOW) CALL(madvise, FAIL) CALL(mprotect, NOT_EXEC)
#ifdef SYS_mmap
    CALL(mmap, NOT_EXEC)
#endif
#ifdef SYS_mmap2
    CALL(mmap2, NOT_EXEC)
#endif
    CALL(exit, ALLOW) CALL(exit_group, ALLOW) CALL(futex, ALLOW) CALL(sched_yield, ALLOW)
    CALL(rt_sigaction, ALLOW) CALL(rt_sigprocmask, ALLOW) CALL(rt_sigreturn, ALLOW)
    CALL(sigaltstack, ALLOW) CALL(getpid, ALLOW) CALL(gettid, ALLOW) CALL(uname, ALLOW)
    CALL(kill, SELF_FIRST) CALL(tgkill, SELF_FIRST)
    CALL(clock_gettime, ALLOW) CALL(clock_getres, ALLOW) CALL(gettimeofday, ALLOW)
    CALL(getrusage, ALLOW) CALL(times, ALLOW) CALL(getrandom, ALLOW)
    CALL(sysinfo, ALLOW) /* qsort asks how much memory there is */
#ifdef SYS_time
    CALL(time, ALLOW)
#endif
    /* the start of a program, and of its output */
#ifdef SYS_fstat
    CALL(fstat, FAIL)
#endif
#ifdef SYS_newfstatat
    CALL(newfstatat, FAIL)
#endif
#ifdef SYS_statx
    CALL(statx, FAIL)
#endif
    CALL(execveat, WITH_SECRET) CALL(set_tid_address, ALLOW) CALL(set_robust_list, ALLOW)
    CALL(prlimit64, ONLY_ASK) CALL(ioctl, FAIL) CALL(lseek, FAIL) CALL(readlinkat, FAIL)
#ifdef SYS_rseq
    CALL(rseq, FAIL)
#endif
#ifdef SYS_riscv_hwprobe
    CALL(riscv_hwprobe, FAIL)
#endif
#ifdef SYS_arch_prctl
    CALL(arch_prctl, ALLOW)
#endif
#ifdef SYS_readlink
    CALL(readlink, FAIL)
#endif
#ifdef SYS_set_thread_area
    CALL(set_thread_area, ALLOW)
#endif
    /* refused like all others; listed so that messages can name them */
    CALL(execve, REFUSE) CALL(clone, REFUSE) CALL(wait4, REFUSE) CALL(openat, REFUSE)
    CALL(unlinkat, REFUSE) CALL(mkdirat, REFUSE) CALL(linkat, REFUSE) CALL(symlinkat, REFUSE)
    CALL(fchmod, REFUSE) CALL(fchmodat, REFUSE) CALL(ftruncate, REFUSE) CALL(truncate, REFUSE)
    CALL(socket, REFUSE) CALL(connect, REFUSE) CALL(sendto, REFUSE) CALL(sendmsg, REFUSE)
    CALL(ptrace, REFUSE) CALL(process_vm_readv, REFUSE) CALL(process_vm_writev, REFUSE)
    CALL(prctl, REFUSE) CALL(setrlimit, REFUSE) CALL(setpgid, REFUSE) CALL(setsid, REFUSE)
    CALL(tkill, REFUSE) CALL(rt_sigqueueinfo, REFUSE) CALL(nanosleep, REFUSE)
    CALL(clock_nanosleep, REFUSE) CALL(ppoll, REFUSE) CALL(setitimer, REFUSE) CALL(dup, REFUSE)
    CALL(pipe2, REFUSE) CALL(fcntl, REFUSE) CALL(close, REFUSE) CALL(getdents64, REFUSE)
    CALL(chdir, REFUSE) CALL(personality, REFUSE) CALL(memfd_create, REFUSE)
    CALL(getppid, REFUSE) CALL(getcwd, REFUSE) CALL(pwrite64, REFUSE)
#ifdef SYS_open
    CALL(open, REFUSE) CALL(creat, REFUSE) CALL(unlink, REFUSE) CALL(mkdir, REFUSE)
    CALL(rename, REFUSE) CALL(link, REFUSE) CALL(symlink, REFUSE) CALL(chmod, REFUSE)
    CALL(pipe, REFUSE) CALL(dup2, REFUSE) CALL(poll, REFUSE) CALL(pause, REFUSE)
    CALL(alarm, REFUSE) CALL(stat, REFUSE) CALL(lstat, REFUSE) CALL(access, REFUSE)
    CALL(fork, REFUSE) CALL(vfork, REFUSE)
#endif
#ifdef SYS_renameat2
    CALL(renameat2, REFUSE)
#endif
#ifdef SYS_clone3
    CALL(clone3, REFUSE)
#endif
};
#undef CALL

enum { SANDBOX_CALLS = sizeof sandbox_call / sizeof *sandbox_call };

const char *sandbox_call_name(int number, char text[32])
{
    for (int i = 0; i < SANDBOX_CALLS; i++)
        if (sandbox_call[i].number == number)
            return sandbox_call[i].name;
    snprintf(text, 32, "number %d", number);
    return text;
}

/* --- the filter ------------------------------------------------------------------------------- */

/* The filter loads words of 32 bits from struct seccomp_data. An argument is two words; on a
 * little-endian machine the first is the lower half. */
enum { SANDBOX_SIZE = 512 };

typedef struct SandboxFilter {
    unsigned short     n;
    struct sock_filter code[SANDBOX_SIZE];
} SandboxFilter;

static void sandbox_add(SandboxFilter *f, unsigned short code, uint32_t k, unsigned char if_true,
                        unsigned char if_false)
{
    f->code[f->n++] = (struct sock_filter){code, if_true, if_false, k};
}

static void sandbox_load(SandboxFilter *f, size_t offset)
{
    sandbox_add(f, BPF_LD | BPF_W | BPF_ABS, (uint32_t)offset, 0, 0);
}

static void sandbox_return(SandboxFilter *f, uint32_t action)
{
    sandbox_add(f, BPF_RET | BPF_K, action, 0, 0);
}

/* The offset of the lower (high = 0) or upper (high = 1) half of an argument. */
static size_t sandbox_half(int argument, int high)
{
    const uint16_t one = 1;
    bool low_first = *(const uint8_t *)&one == 1;
    return offsetof(struct seccomp_data, args) + 8 * (size_t)argument +
           ((high == 1) == low_first ? 4 : 0);
}

/* Traps unless one half of an argument equals k. */
static void sandbox_want(SandboxFilter *f, int argument, int high, uint32_t k)
{
    sandbox_load(f, sandbox_half(argument, high));
    sandbox_add(f, BPF_JMP | BPF_JEQ | BPF_K, k, 1, 0);
    sandbox_return(f, SECCOMP_RET_TRAP);
}

/* The code that follows the comparison of the call's number; every path in it ends in a return. */
static void sandbox_add_rule(SandboxFilter *f, SandboxRule rule, unsigned long secret)
{
    switch (rule) {
    case FAIL:
        sandbox_return(f, SECCOMP_RET_ERRNO | EPERM);
        break;
    case NOT_EXEC:
        sandbox_load(f, sandbox_half(2, 0));
        sandbox_add(f, BPF_JMP | BPF_JSET | BPF_K, PROT_EXEC, 0, 1);
        sandbox_return(f, SECCOMP_RET_TRAP);
        break;
    case SELF_FIRST:
        sandbox_want(f, 0, 0, (uint32_t)getpid());
        break;
    case ONLY_ASK:
        sandbox_want(f, 0, 0, 0);
        sandbox_want(f, 2, 0, 0);
        sandbox_want(f, 2, 1, 0);
        break;
    case WITH_SECRET:
        sandbox_want(f, 5, 0, (uint32_t)secret);
        if (sizeof(long) > sizeof(uint32_t))
            sandbox_want(f, 5, 1, (uint32_t)((uint64_t)secret >> 32));
        break;
    case ALLOW:
    case REFUSE:
        break;
    }
    sandbox_return(f, SECCOMP_RET_ALLOW);
}

/* The calls of another architecture have different numbers, so they end the process. */
static void sandbox_build(SandboxFilter *f, unsigned long secret)
{
    sandbox_load(f, offsetof(struct seccomp_data, arch));
    sandbox_add(f, BPF_JMP | BPF_JEQ | BPF_K, SANDBOX_ARCH, 1, 0);
    sandbox_return(f, SECCOMP_RET_KILL_PROCESS);
    for (int i = 0; i < SANDBOX_CALLS; i++) {
        if (sandbox_call[i].rule == REFUSE)
            continue;
        sandbox_load(f, offsetof(struct seccomp_data, nr));
        unsigned short jump = f->n;
        sandbox_add(f, BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)sandbox_call[i].number, 0, 0);
        sandbox_add_rule(f, sandbox_call[i].rule, secret);
        f->code[jump].jf = (unsigned char)(f->n - jump - 1);
    }
    sandbox_return(f, SECCOMP_RET_TRAP);
}

static bool sandbox_install(unsigned long secret)
{
    static SandboxFilter filter;
    filter.n = 0;
    sandbox_build(&filter, secret);
    struct sock_fprog whole = {filter.n, filter.code};
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &whole) == 0;
}

/* --- the interface ---------------------------------------------------------------------------- */

bool sandbox_works(void)
{
    int status = 0;
    pid_t child = fork();
    if (child < 0) /* which says nothing about the filter */
        judge_refuse("cannot create a process: %s", strerror(errno));
    if (child == 0)
        _exit(sandbox_install(0) ? 0 : 1);
    return waitpid(child, &status, 0) == child && status == 0;
}

/* A filter cannot see which program a call starts, so the one allowed call carries a random number.
 * The submission cannot know it: the exec clears the memory and the registers that held it. */
void sandbox_exec(int program, char *const argv[], char *const envp[])
{
    unsigned long secret = 0;
    if (syscall(SYS_getrandom, &secret, sizeof secret, 0) == (long)sizeof secret &&
        prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 && sandbox_install(secret))
        syscall(SYS_execveat, program, "", argv, envp, AT_EMPTY_PATH, secret);
}

void sandbox_shield(void)
{
    prctl(PR_SET_DUMPABLE, 0);
    prctl(PR_SET_CHILD_SUBREAPER, 1);
}

#else

bool sandbox_works(void)
{
    return false;
}

void sandbox_exec(int program, char *const argv[], char *const envp[])
{
    (void)program, (void)argv, (void)envp;
}

void sandbox_shield(void) {}

const char *sandbox_call_name(int number, char text[32])
{
    snprintf(text, 32, "number %d", number);
    return text;
}

#endif
