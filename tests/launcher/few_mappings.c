/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 The RingOne authors */
/*
 * To be preloaded into the ringone command: a host on which mappings are scarce (vm.max_map_count is the whole host's,
 * so a test does not lower it). The environment says how:
 *   RINGONE_TEST_MAPPINGS_LEFT=N   at the start of the program only N more mappings are to be had
 *   RINGONE_TEST_LEFT_LATER=N      the same, but from the 200th mapping of guest memory on
 *   RINGONE_TEST_REFUSE_ONE_IN=N   one in N changes of mappings below 4 GiB is refused, from the 200th on
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

static const size_t kPage = 4096;
static const long kFirstCalls = 200;
static long left_later, refuse_one_in, calls;

static long number_in(const char* name) {
    const char* const text = getenv(name);
    return text != NULL ? atol(text) : 0;
}

static long read_number(const char* path) {
    FILE* const file = fopen(path, "re");
    long number = 0;
    if (file == NULL || fscanf(file, "%ld", &number) != 1) abort();
    fclose(file);
    return number;
}

static long count_mappings(void) {
    FILE* const file = fopen("/proc/self/maps", "re");
    long lines = 0;
    if (file == NULL) abort();
    for (int c = 0; (c = getc(file)) != EOF;) lines += c == '\n';
    fclose(file);
    return lines;
}

static void* host_mmap(void* at, size_t bytes, int protection, int flags, int fd, off_t offset) {
    return (void*)syscall(SYS_mmap, at, bytes, protection, flags, fd, offset);
}

/* Takes mappings until only `left` are to be had: every other page of an area has another protection. */
static void take_all_but(long left) {
    const long area = read_number("/proc/sys/vm/max_map_count") - count_mappings() - left;
    char* const pages = host_mmap(NULL, (size_t)area * kPage, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (area < 1 || pages == MAP_FAILED) abort();
    for (long i = 0; i < area; i += 2)
        if (syscall(SYS_mprotect, pages + (size_t)i * kPage, kPage, PROT_READ) != 0) abort();
}

__attribute__((constructor)) static void begin(void) {
    left_later = number_in("RINGONE_TEST_LEFT_LATER");
    refuse_one_in = number_in("RINGONE_TEST_REFUSE_ONE_IN");
    const long left = number_in("RINGONE_TEST_MAPPINGS_LEFT");
    if (left != 0) take_all_but(left);
}

static int refused(const void* at) {
    static uint64_t random = 1;
    if (at == NULL || (uintptr_t)at >> 32 != 0 || ++calls < kFirstCalls) return 0;
    if (calls == kFirstCalls && left_later != 0) take_all_but(left_later);
    random = random * 6364136223846793005u + 1442695040888963407u;
    if (refuse_one_in == 0 || (random >> 33) % (uint64_t)refuse_one_in != 0) return 0;
    errno = ENOMEM;
    return 1;
}

void* mmap(void* at, size_t bytes, int protection, int flags, int fd, off_t offset) {
    return refused(at) ? MAP_FAILED : host_mmap(at, bytes, protection, flags, fd, offset);
}

int mprotect(void* at, size_t bytes, int protection) {
    return refused(at) ? -1 : (int)syscall(SYS_mprotect, at, bytes, protection);
}
