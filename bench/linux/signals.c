/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 The RingOne authors */
#define _GNU_SOURCE
#include "linux_bench.h"

#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { PAGE = 4096 };
static volatile u32 delivered;
static char *page;

static void count_signal(int number) {
    (void)number;
    ++delivered;
}
static void unprotect(int number) {
    (void)number;
    ++delivered;
    checked("mprotect", mprotect(page, PAGE, PROT_READ | PROT_WRITE));
}

static void install(int number, void (*handler)(int)) {
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = handler;
    checked("sigaction", sigaction(number, &action, NULL));
}

static int install_counter(void) {
    install(SIGUSR1, count_signal);
    return 1;
}
static int install_unprotect(void) {
    page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED) fail("mmap");
    page[0] = 1;
    install(SIGSEGV, unprotect);
    return 1;
}
static void remove_unprotect(void) {
    install(SIGSEGV, SIG_DFL);
    munmap(page, PAGE);
}

static u32 signal_install(u32 count) {
    for (u32 i = 0; i < count; ++i) install(SIGUSR1, count_signal);
    return 0;
}
static u32 signal_deliver(u32 count) {
    const int self = getpid();
    delivered = 0;
    for (u32 i = 0; i < count; ++i) kill(self, SIGUSR1);
    if (delivered != count) fail("a signal a kill");
    return 0;
}
/* A write to a read-only page, its signal, and a handler that allows it. */
static u32 protection_fault(u32 count) {
    delivered = 0;
    for (u32 i = 0; i < count; ++i) {
        checked("mprotect", mprotect(page, PAGE, PROT_READ));
        *(volatile char *)page = 2;
    }
    if (delivered != count) fail("a fault a write");
    return 0;
}

const struct linux_item signal_items[] = {
    {"signal_install", "signal", signal_install, 0, 0},
    {"signal_deliver", "signal", signal_deliver, install_counter, 0},
    {"protection_fault", "signal", protection_fault, install_unprotect, remove_unprotect},
    {0},
};
