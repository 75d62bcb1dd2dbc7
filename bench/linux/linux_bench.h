/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 The RingOne authors */
#ifndef RINGONE_BENCH_LINUX_H
#define RINGONE_BENCH_LINUX_H

/*
 * What a process of Linux sees of the machine below it: one static i386 program, run natively and as the first process
 * of a guest. Figures are TSC cycles: the one clock that native code and both translators share.
 */
typedef unsigned int u32;
typedef unsigned long long u64;

struct linux_item {
    const char *name;
    const char *group;
    u32 (*run)(u32 count);  /* the operation, count times; a checksum where there is one to compare, else 0 */
    int (*prepare)(void);   /* not timed; 0: this machine cannot do the item. May be null */
    void (*finish)(void);   /* not timed; may be null */
};

extern const struct linux_item syscall_items[], signal_items[], ipc_items[], process_items[], memory_items[],
    compute_items[];

/* Ends the program with a line that says what failed. */
void fail(const char *what) __attribute__((noreturn));
/* The value, or the end of the program where it is negative. */
int checked(const char *what, int value);

/* Where the programs that processes.c starts are. */
extern const char *tiny_program, *shell_program;

#endif
