/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 The RingOne authors */
#include "payload.h"

/* Compiled with -fno-optimize-sibling-calls and without inlining: every call of the source is a CALL. */
static __attribute__((noinline)) u32 fibonacci(u32 n) { return n < 2 ? n : fibonacci(n - 1) + fibonacci(n - 2); }

static __attribute__((noinline)) u32 ackermann(u32 m, u32 n) {
    if (m == 0) return n + 1;
    if (n == 0) return ackermann(m - 1, 1);
    return ackermann(m - 1, ackermann(m, n - 1));
}

static volatile u32 depth = 27;

u32 run_fibonacci(void) { return fibonacci(depth); }
u32 run_ackermann(void) { return ackermann(2, 300) + ackermann(3, 6); }
