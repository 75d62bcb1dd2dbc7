/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 The RingOne authors */
#define _GNU_SOURCE
#include "linux_bench.h"

#include <string.h>
#include <sys/mman.h>

enum { PAGE = 4096, SMALL = 64 * 1024, REGION_PAGES = 256, COPY = 4 << 20 };
static char *page, *source, *target;

static char *mapped(u32 bytes) {
    char *const at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (at == MAP_FAILED) fail("mmap");
    return at;
}

static u32 mmap_munmap(u32 count) {
    for (u32 i = 0; i < count; ++i) munmap(mapped(SMALL), SMALL);
    return 0;
}

/* First touches of anonymous pages; the mappings, one for 256 pages, are in the figure. */
static u32 page_fault(u32 count) {
    for (u32 done = 0; done < count;) {
        char *const region = mapped(REGION_PAGES * PAGE);
        for (u32 i = 0; i < REGION_PAGES && done < count; ++i, ++done) ((volatile char *)region)[i * PAGE] = 1;
        munmap(region, REGION_PAGES * PAGE);
    }
    return 0;
}

static int map_page(void) {
    page = mapped(PAGE);
    page[0] = 1;
    return 1;
}
static void unmap_page(void) { munmap(page, PAGE); }
/* Read-only and back: two calls an operation. */
static u32 mprotect_twice(u32 count) {
    for (u32 i = 0; i < count; ++i) {
        checked("mprotect", mprotect(page, PAGE, PROT_READ));
        checked("mprotect", mprotect(page, PAGE, PROT_READ | PROT_WRITE));
    }
    return 0;
}

static int map_buffers(void) {
    source = mapped(COPY);
    target = mapped(COPY);
    memset(source, 1, COPY);
    memset(target, 2, COPY);
    return 1;
}
static void unmap_buffers(void) {
    munmap(source, COPY);
    munmap(target, COPY);
}
static u32 copy_4m(u32 count) {
    for (u32 i = 0; i < count; ++i) {
        source[i % COPY] ^= 1;
        memcpy(target, source, COPY);
        __asm__ volatile("" : : "r"(target) : "memory");
    }
    return 0;
}

const struct linux_item memory_items[] = {
    {"mmap_munmap_64k", "memory", mmap_munmap, 0, 0},
    {"page_fault", "memory", page_fault, 0, 0},
    {"mprotect_twice", "memory", mprotect_twice, map_page, unmap_page},
    {"memcpy_4m", "memory", copy_4m, map_buffers, unmap_buffers},
    {0},
};
