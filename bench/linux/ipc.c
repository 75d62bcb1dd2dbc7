/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 The RingOne authors */
#define _GNU_SOURCE
#include "linux_bench.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* A token of one byte goes round in a ring of processes; each reads its whole set of memory before it passes it on. */
enum { MAX_PROCESSES = 8, MAX_WORDS = 16 * 1024 / 4 };
static int processes, words;
static int from[MAX_PROCESSES], to[MAX_PROCESSES]; /* process i reads from[i] and writes to[i] */
static int children[MAX_PROCESSES];

static void use_memory(volatile u32 *memory) {
    for (int i = 0; i < words; ++i) memory[i] += 1;
}

static void pass(int number) {
    char token;
    if (read(from[number], &token, 1) != 1) _exit(0);
    static u32 memory[MAX_WORDS]; /* each process's own after its first write */
    use_memory(memory);
    if (write(to[number], &token, 1) != 1) _exit(0);
}

static void start_children(void) {
    for (int i = 1; i < processes; ++i) {
        children[i] = checked("fork", fork());
        if (children[i] == 0)
            for (;;) pass(i);
    }
}

static int ring_of(int how_many, int bytes) {
    signal(SIGPIPE, SIG_IGN);
    processes = how_many;
    words = bytes / 4;
    for (int i = 0; i < processes; ++i) {
        int ends[2];
        checked("pipe", pipe(ends));
        to[i] = ends[1];
        from[(i + 1) % processes] = ends[0];
    }
    start_children();
    return 1;
}

static int ring_of_sockets(void) {
    int ends[2];
    checked("socketpair", socketpair(AF_UNIX, SOCK_STREAM, 0, ends));
    processes = 2;
    words = 0;
    from[0] = to[0] = ends[0];
    from[1] = to[1] = ends[1];
    start_children();
    return 1;
}

static int pipe_pair(void) { return ring_of(2, 0); }
static int ring_2_16k(void) { return ring_of(2, 16 * 1024); }
static int ring_8_0k(void) { return ring_of(8, 0); }
static int ring_8_16k(void) { return ring_of(8, 16 * 1024); }

static void stop(void) {
    for (int i = 1; i < processes; ++i) {
        kill(children[i], SIGKILL);
        waitpid(children[i], NULL, 0);
    }
    for (int i = 0; i < processes; ++i) {
        close(from[i]);
        if (to[i] != from[i]) close(to[i]);
    }
}

/* One operation is one turn of the token: as many context switches as there are processes. */
static u32 turns(u32 count) {
    static u32 memory[MAX_WORDS];
    char token = 0;
    for (u32 i = 0; i < count; ++i) {
        use_memory(memory);
        if (write(to[0], &token, 1) != 1 || read(from[0], &token, 1) != 1) fail("the ring");
    }
    return 0;
}

const struct linux_item ipc_items[] = {
    {"pipe_round_trip", "ipc", turns, pipe_pair, stop},
    {"unix_socket_round_trip", "ipc", turns, ring_of_sockets, stop},
    {"ring_2_16k", "ipc", turns, ring_2_16k, stop},
    {"ring_8_0k", "ipc", turns, ring_8_0k, stop},
    {"ring_8_16k", "ipc", turns, ring_8_16k, stop},
    {0},
};
