// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
//
// What a guest's kernel and CPU must do for programs, beyond what a shell can ask: a static i386 program for the boot
// tests. Prints "ok NAME" or "FAILED NAME" a check; exit status 1 when one failed.
#define _GNU_SOURCE
#include "tests/boot/checks/checks.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

enum { kPage = 4096, kPages = 64, kTrapFlag = 0x100, kSignalExit = 128, kMostPagesToFill = 1 << 18, kIsolated = 70000 };

static sigjmp_buf fault_return;
static volatile int fault_signal;
static void* volatile fault_address;

static void on_fault(int number, siginfo_t* info, void* context) {
    (void)context;
    fault_signal = number;
    fault_address = info->si_addr;
    siglongjmp(fault_return, 1);
}

/// Whether reading (or writing) `address` raises SIGSEGV with that very address.
static int faults(volatile char* address, int write) {
    struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_NODEFER};
    sigaction(SIGSEGV, &action, NULL);
    fault_signal = 0;
    if (sigsetjmp(fault_return, 1) == 0) {
        if (write)
            *address = 1;
        else
            (void)*address;
    }
    signal(SIGSEGV, SIG_DFL);
    return fault_signal == SIGSEGV && fault_address == (void*)address;
}

static int exit_status(pid_t child) {
    int status = 0;
    if (waitpid(child, &status, 0) != child) return -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : kSignalExit + WTERMSIG(status);
}

static char* pages(int protection) {
    void* p = mmap(NULL, (size_t)kPages * kPage, protection, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return p == MAP_FAILED ? NULL : p;
}

static int protection(void) {
    char* p = pages(PROT_READ | PROT_WRITE);
    if (p == NULL) return 0;
    for (int i = 0; i < kPages; ++i) p[i * kPage] = (char)i;
    if (mprotect(p, kPage, PROT_READ) != 0 || mprotect(p + kPage, kPage, PROT_NONE) != 0) return 0;
    int good = p[0] == 0 && faults(p, 1) && faults(p + kPage + 5, 0) && p[2 * kPage] == 2;
    good = good && mprotect(p, 2 * kPage, PROT_READ | PROT_WRITE) == 0 && p[kPage] == 1;
    p[kPage] = 7;
    good = good && p[kPage] == 7 && munmap(p, kPage) == 0 && faults(p, 0);
    munmap(p, (size_t)kPages * kPage);
    return good;
}

/// The kernel's memory is there (its direct map starts at 3 GiB), and is not ours.
static int kernel_memory(void) { return faults((char*)0xC0100000U, 0) && faults((char*)0xC0100000U, 1); }

static int copy_on_write(void) {
    char* p = pages(PROT_READ | PROT_WRITE);
    if (p == NULL) return 0;
    memset(p, 1, (size_t)kPages * kPage);
    const pid_t child = fork();
    if (child == 0) {
        for (int i = 0; i < kPages; ++i)
            if (p[i * kPage] != 1) _exit(1);
        memset(p, 2, (size_t)kPages * kPage);
        _exit(p[kPages * kPage - 1] == 2 ? 0 : 1);
    }
    int good = exit_status(child) == 0;
    for (int i = 0; i < kPages * kPage; ++i) good = good && p[i] == 1;
    munmap(p, (size_t)kPages * kPage);
    return good;
}

static int shared_memory(void) {
    int* p = mmap(NULL, kPage, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED) return 0;
    enum { kChildren = 4, kRounds = 10000 };
    pid_t children[kChildren];
    for (int i = 0; i < kChildren; ++i) {
        children[i] = fork();
        if (children[i] == 0) {
            for (int n = 0; n < kRounds; ++n) __atomic_fetch_add(p, 1, __ATOMIC_SEQ_CST);
            _exit(0);
        }
    }
    int good = 1;
    for (int i = 0; i < kChildren; ++i) good = good && exit_status(children[i]) == 0;
    return good && *p == kChildren * kRounds;
}

/// A parent steps its child through `count` known instructions and sees each EIP.
static int single_step(void) {
    const pid_t child = fork();
    if (child == 0) {
        ptrace(PTRACE_TRACEME, 0, NULL, NULL);
        raise(SIGSTOP);
        checks_stepped();
        _exit(checks_stepped() == checks_stepped_result ? 0 : 1);
    }
    int status = 0, seen = 0;
    if (waitpid(child, &status, 0) != child || !WIFSTOPPED(status)) return 0;
    for (int i = 0; i < 20000 && seen < checks_stepped_count; ++i) {
        struct user_regs_struct regs;
        if (ptrace(PTRACE_SINGLESTEP, child, NULL, NULL) != 0 || waitpid(child, &status, 0) != child) return 0;
        if (!WIFSTOPPED(status) || WSTOPSIG(status) != SIGTRAP) return 0;
        ptrace(PTRACE_GETREGS, child, NULL, &regs);
        if (regs.eip == (long)checks_stepped_at[seen]) ++seen;
        else if (seen != 0) break;
    }
    ptrace(PTRACE_CONT, child, NULL, NULL);
    return exit_status(child) == 0 && seen == checks_stepped_count;
}

/// A debugger's watchpoint and breakpoint in the CPU's debug registers: the child stops behind the write, and before the
/// instruction, with the register's bit in DR6.
static int stops_in_debug_register(pid_t child, long at, long control) {
    const size_t registers = offsetof(struct user, u_debugreg);
    int status = 0;
    if (ptrace(PTRACE_POKEUSER, child, registers + 7 * sizeof(int), 0) != 0) return 0;
    if (ptrace(PTRACE_POKEUSER, child, registers, at) != 0) return 0;
    if (ptrace(PTRACE_POKEUSER, child, registers + 7 * sizeof(int), control) != 0) return 0;
    if (ptrace(PTRACE_CONT, child, NULL, NULL) != 0 || waitpid(child, &status, 0) != child) return 0;
    if (!WIFSTOPPED(status) || WSTOPSIG(status) != SIGTRAP) return 0;
    return (ptrace(PTRACE_PEEKUSER, child, registers + 6 * sizeof(int), NULL) & 0xF) == 1;
}

static int debug_registers(void) {
    enum { kWatchWrite4 = 0xD0001, kBreakAtInstruction = 1 };
    static volatile int watched;
    const pid_t child = fork();
    if (child == 0) {
        ptrace(PTRACE_TRACEME, 0, NULL, NULL);
        raise(SIGSTOP);
        for (int i = 0; i < 100; ++i) watched = i;
        _exit(checks_stepped() == checks_stepped_result ? 0 : 1);
    }
    int status = 0;
    if (waitpid(child, &status, 0) != child || !WIFSTOPPED(status)) return 0;
    int good = 1;
    for (int i = 0; i < 3; ++i) {
        good = good && stops_in_debug_register(child, (long)&watched, kWatchWrite4) &&
               ptrace(PTRACE_PEEKDATA, child, &watched, NULL) == i;
    }
    struct user_regs_struct regs;
    good = good && stops_in_debug_register(child, (long)checks_stepped_at[2], kBreakAtInstruction) &&
           ptrace(PTRACE_GETREGS, child, NULL, &regs) == 0 && regs.eip == (long)checks_stepped_at[2];
    ptrace(PTRACE_POKEUSER, child, offsetof(struct user, u_debugreg) + 7 * sizeof(int), 0);
    ptrace(PTRACE_CONT, child, NULL, NULL);
    return exit_status(child) == 0 && good;
}

/// A program that rewrites the function it then calls, byte by byte and through a second mapping.
static int rewritten_code(void) {
    const int file = (int)syscall(SYS_memfd_create, "jit", 0U);
    if (file < 0 || ftruncate(file, kPage) != 0) return 0;
    unsigned char* run = mmap(NULL, kPage, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_SHARED, file, 0);
    unsigned char* alias = mmap(NULL, kPage, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (run == MAP_FAILED || alias == MAP_FAILED) return 0;
    run[0] = 0xB8; // MOV eax, imm32; RET
    run[5] = 0xC3;
    int (*function)(void);
    memcpy(&function, &run, sizeof function);
    int good = 1;
    for (int i = 0; i < 2000; ++i) {
        memcpy((i & 1) != 0 ? run + 1 : alias + 1, &i, sizeof i);
        good = good && function() == i;
    }
    close(file);
    return good && munmap(run, kPage) == 0 && munmap(alias, kPage) == 0;
}

static double series(int steps) {
    double sum = 0;
    for (int i = 1; i <= steps; ++i) sum += (i % 2 != 0 ? 1.0 : -1.0) / (2.0 * i - 1.0);
    return sum;
}

/// x87 state survives context switches: several processes make the same sum, and all bits agree.
static int floating_point(void) {
    enum { kChildren = 6, kSteps = 300000 };
    const double expected = series(kSteps);
    int good = expected > 0.785 && expected < 0.786;
    pid_t children[kChildren];
    for (int i = 0; i < kChildren; ++i) {
        children[i] = fork();
        if (children[i] == 0) _exit(series(kSteps) == expected ? 0 : 1);
    }
    for (int i = 0; i < kChildren; ++i) good = good && exit_status(children[i]) == 0;
    return good;
}

static int invalid_instruction(void) {
    const pid_t child = fork();
    if (child == 0) __asm__ volatile("ud2");
    return exit_status(child) == kSignalExit + SIGILL;
}

static int privileged_instruction(void) {
    const pid_t child = fork();
    if (child == 0) {
        __asm__ volatile("hlt");
        _exit(0);
    }
    return exit_status(child) == kSignalExit + SIGSEGV;
}

/// More isolated pages than a Linux host has mappings for one process (vm.max_map_count): pages that are only read are
/// all the kernel's zero page, so that none continues its neighbour.
static int isolated_pages(void) {
    const size_t bytes = (size_t)kIsolated * 2 * kPage;
    volatile char* p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (p == MAP_FAILED) return 0;
    (void)madvise((void*)p, bytes, MADV_NOHUGEPAGE); // fails where the kernel has no huge pages
    int good = 1;
    for (size_t i = 0; i < kIsolated; ++i) good &= p[i * 2 * kPage] == 0;
    for (size_t i = 0; i < kIsolated; i += kPages) p[i * 2 * kPage] = (char)i;
    for (size_t i = 0; i < kIsolated; ++i) good &= p[i * 2 * kPage] == (char)(i % kPages == 0 ? i : 0);
    return munmap((void*)p, bytes) == 0 && good;
}

static int divide_by_zero(void) {
    const pid_t child = fork();
    if (child == 0) {
        __asm__ volatile("xorl %%ecx, %%ecx\n\tmovl $1, %%eax\n\tcltd\n\tidivl %%ecx" : : : "eax", "ecx", "edx");
        _exit(0);
    }
    return exit_status(child) == kSignalExit + SIGFPE;
}

/// A child takes all memory: the OOM killer ends it, and nobody else. Not for the machine you work on.
static int out_of_memory(void) {
    if (sysconf(_SC_PHYS_PAGES) > kMostPagesToFill) return 0;
    const pid_t child = fork();
    if (child == 0) {
        FILE* score = fopen("/proc/self/oom_score_adj", "w");
        if (score != NULL && (fputs("1000", score) < 0 || fclose(score) != 0)) _exit(2);
        for (;;) {
            char* p = pages(PROT_READ | PROT_WRITE);
            if (p == NULL) _exit(1);
            memset(p, 1, (size_t)kPages * kPage);
        }
    }
    return exit_status(child) == kSignalExit + SIGKILL;
}

static int checked(const char* name, int (*function)(void)) {
    const int good = function();
    printf("%s %s\n", good ? "ok" : "FAILED", name);
    fflush(stdout);
    return good;
}

int main(void) {
    int good = 1;
    good &= checked("page protection", protection);
    good &= checked("kernel memory out of reach", kernel_memory);
    good &= checked("copy on write", copy_on_write);
    good &= checked("shared memory", shared_memory);
    good &= checked("single step by ptrace", single_step);
    good &= checked("debug registers by ptrace", debug_registers);
    good &= checked("code that is rewritten", rewritten_code);
    good &= checked("x87 in six processes", floating_point);
    good &= checked("invalid instruction", invalid_instruction);
    good &= checked("privileged instruction", privileged_instruction);
    good &= checked("division by zero", divide_by_zero);
    good &= checked("70000 isolated pages", isolated_pages);
    good &= checked("out of memory", out_of_memory);
    return good ? 0 : 1;
}
