/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 The RingOne authors */
#define _GNU_SOURCE
#include "linux_bench.h"

#include <sys/wait.h>
#include <unistd.h>

enum way { EXIT, EXEC, SHELL };

static u32 children(u32 count, enum way way) {
    for (u32 i = 0; i < count; ++i) {
        const int child = checked("fork", fork());
        if (child == 0) {
            char *const nothing[] = {NULL};
            if (way == EXEC) execve(tiny_program, (char *[]){"tiny", NULL}, nothing);
            if (way == SHELL) execve(shell_program, (char *[]){"sh", "-c", "exit 0", NULL}, nothing);
            _exit(way == EXIT ? 0 : 1);
        }
        int status = -1;
        if (waitpid(child, &status, 0) != child || status != 0) fail("a child");
    }
    return 0;
}

static u32 fork_exit(u32 count) { return children(count, EXIT); }
static u32 fork_exec(u32 count) { return children(count, EXEC); }
static u32 fork_shell(u32 count) { return children(count, SHELL); }
static int has_tiny(void) { return access(tiny_program, X_OK) == 0; }
static int has_shell(void) { return access(shell_program, X_OK) == 0; }

const struct linux_item process_items[] = {
    {"fork_exit", "process", fork_exit, 0, 0},
    {"fork_exec", "process", fork_exec, has_tiny, 0},
    {"fork_shell", "process", fork_shell, has_shell, 0},
    {0},
};
