/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 The RingOne authors */
#define _GNU_SOURCE
#include "linux_bench.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* Words: "list", "tsc", "items=NAME,NAME", "samples=N", "sample=CYCLES", "only=NAME" with "count=N" (one sample of
 * so many operations, not calibrated), "tiny=PATH", "shell=PATH". */

enum { MAX_SAMPLES = 32, MAX_COUNT = 1 << 30 };

const char *tiny_program = "/linux-bench-tiny", *shell_program = "/bin/busybox";

static const struct linux_item *const groups[] = {syscall_items, signal_items, ipc_items,
                                                  process_items, memory_items, compute_items};

void fail(const char *what) {
    printf("failed %s: %s\n", what, strerror(errno));
    fflush(stdout);
    _exit(1);
}

int checked(const char *what, int value) {
    if (value < 0) fail(what);
    return value;
}

static u64 cycles(void) {
    u32 low, high;
    __asm__ volatile("lfence; rdtsc" : "=a"(low), "=d"(high) : : "memory");
    return (u64)high << 32 | low;
}

static const char *option(char **words, const char *name) {
    for (; *words != NULL; ++words)
        if (strncmp(*words, name, strlen(name)) == 0) return *words + strlen(name);
    return NULL;
}

static u64 number(char **words, const char *name, u64 otherwise) {
    const char *const text = option(words, name);
    return text != NULL ? strtoull(text, NULL, 10) : otherwise;
}

static int listed(const char *list, const char *name) {
    const size_t length = strlen(name);
    for (const char *at = list; (at = strstr(at, name)) != NULL; at += length)
        if ((at == list || at[-1] == ',') && (at[length] == 0 || at[length] == ',')) return 1;
    return 0;
}

static u64 sample(const struct linux_item *item, u32 count, u32 *checksum) {
    const u64 begin = cycles();
    *checksum = item->run(count);
    return cycles() - begin;
}

/* "item NAME GROUP COUNT CHECKSUM CYCLES...": decimal; cycles of each sample of COUNT operations. */
static void measure(const struct linux_item *item, u64 least, u32 samples, u32 fixed_count) {
    printf("item %s %s", item->name, item->group);
    fflush(stdout); /* what a child inherits would be printed twice */
    if (item->prepare != NULL && !item->prepare()) {
        printf(" n/a\n");
        return;
    }
    u32 count = fixed_count != 0 ? fixed_count : 1, checksum = 0;
    while (fixed_count == 0) { /* the calls that calibrate warm up as well */
        const u64 taken = sample(item, count, &checksum);
        if (taken >= least || count >= MAX_COUNT) break;
        const u64 wanted = (least + least / 8) * count / (taken + 1) + 1;
        count = wanted > 16ull * count ? 16 * count : (u32)wanted;
    }
    u64 taken[MAX_SAMPLES];
    for (u32 i = 0; i < samples; ++i) {
        u32 again;
        taken[i] = sample(item, count, &again);
        if ((i != 0 || fixed_count == 0) && again != checksum) fail("equal results of two samples");
        checksum = again;
    }
    if (item->finish != NULL) item->finish();
    printf(" %u %u", count, checksum);
    for (u32 i = 0; i < samples; ++i) printf(" %llu", taken[i]);
    printf("\n");
    fflush(stdout);
}

static void print_tsc_frequency(void) {
    struct timespec begin, now;
    clock_gettime(CLOCK_MONOTONIC, &begin);
    const u64 first = cycles();
    long long ns;
    do {
        clock_gettime(CLOCK_MONOTONIC, &now);
        ns = (now.tv_sec - begin.tv_sec) * 1000000000ll + (now.tv_nsec - begin.tv_nsec);
    } while (ns < 200000000);
    printf("tsc %llu\n", (cycles() - first) * 1000000000ull / (u64)ns);
}

/* One CPU everywhere: a guest has no more. */
static void pin(void) {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(sched_getcpu() > 0 ? sched_getcpu() : 0, &set);
    checked("sched_setaffinity", sched_setaffinity(0, sizeof set, &set));
}

static void bench(char **words) {
    tiny_program = option(words, "tiny=") ? option(words, "tiny=") : tiny_program;
    shell_program = option(words, "shell=") ? option(words, "shell=") : shell_program;
    const char *const only = option(words, "only=");
    const char *const list = only != NULL ? only : option(words, "items=");
    u32 samples = (u32)number(words, "samples=", 5);
    if (samples < 1 || samples > MAX_SAMPLES) samples = MAX_SAMPLES;
    const u64 least = number(words, "sample=", 100000000);
    const u32 count = only != NULL ? (u32)number(words, "count=", 1) : 0;
    pin();
    if (option(words, "tsc") != NULL) print_tsc_frequency();
    for (u32 g = 0; g < sizeof groups / sizeof groups[0]; ++g)
        for (const struct linux_item *item = groups[g]; item->name != NULL; ++item) {
            if (list != NULL && !listed(list, item->name)) continue;
            if (option(words, "list") != NULL) printf("name %s %s\n", item->name, item->group);
            else measure(item, least, only != NULL ? 1 : samples, count);
        }
    printf("done\n");
    fflush(stdout);
}

/* As the first process of a guest: what the program needs, the program as a child, power off. */
static void first_process(char **words) {
    mount("devtmpfs", "/dev", "devtmpfs", 0, NULL);
    mkdir("/proc", 0755);
    mount("proc", "/proc", "proc", 0, NULL);
    const int child = fork();
    if (child == 0) {
        bench(words);
        _exit(0);
    }
    while (waitpid(child, NULL, 0) < 0 && errno == EINTR) {}
    reboot(RB_POWER_OFF);
    _exit(1);
}

int main(int argc, char **argv) {
    (void)argc;
    if (getpid() == 1) first_process(argv + 1);
    bench(argv + 1);
    return 0;
}
