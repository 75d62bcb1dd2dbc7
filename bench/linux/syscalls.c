/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 The RingOne authors */
#define _GNU_SOURCE
#include "linux_bench.h"

#include <fcntl.h>
#include <sys/auxv.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static int file;

static u32 getppid_int80(u32 count) {
    int result;
    for (u32 i = 0; i < count; ++i)
        __asm__ volatile("int $0x80" : "=a"(result) : "0"(SYS_getppid) : "memory");
    return 0;
}

/* The kernel's own choice of instruction, usually SYSENTER: __kernel_vsyscall in the vdso. */
static u32 getppid_vdso(u32 count) {
    const unsigned long entry = getauxval(AT_SYSINFO);
    int result;
    for (u32 i = 0; i < count; ++i)
        __asm__ volatile("call *%2" : "=a"(result) : "0"(SYS_getppid), "r"(entry) : "memory");
    return 0;
}
static int has_vdso(void) { return getauxval(AT_SYSINFO) != 0; }

static int open_zero(void) { return (file = checked("/dev/zero", open("/dev/zero", O_RDONLY))) >= 0; }
static int open_null(void) { return (file = checked("/dev/null", open("/dev/null", O_WRONLY))) >= 0; }
static void close_file(void) { close(file); }

static u32 read_zero(u32 count) {
    char byte;
    for (u32 i = 0; i < count; ++i)
        if (read(file, &byte, 1) != 1) fail("read of /dev/zero");
    return 0;
}
static u32 write_null(u32 count) {
    for (u32 i = 0; i < count; ++i)
        if (write(file, "", 1) != 1) fail("write to /dev/null");
    return 0;
}
static u32 stat_file(u32 count) {
    struct stat about;
    for (u32 i = 0; i < count; ++i) checked("stat", stat("/dev/zero", &about));
    return 0;
}
static u32 open_close(u32 count) {
    for (u32 i = 0; i < count; ++i) close(checked("open", open("/dev/zero", O_RDONLY)));
    return 0;
}

const struct linux_item syscall_items[] = {
    {"getppid_int80", "syscall", getppid_int80, 0, 0},
    {"getppid_vdso", "syscall", getppid_vdso, has_vdso, 0},
    {"read_zero", "syscall", read_zero, open_zero, close_file},
    {"write_null", "syscall", write_null, open_null, close_file},
    {"stat", "syscall", stat_file, 0, 0},
    {"open_close", "syscall", open_close, 0, 0},
    {0},
};
