/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 The RingOne authors */
#include "payload.h"
#include "straight_line.h"

/* Code that runs once: what it costs is its translation. Each sample runs a copy of its own (position-independent),
 * at addresses that no sample before it used. */
enum { COPIES = 16, COPY_BYTES = (STRAIGHT_LINE_MAX_BYTES + 4095) & ~4095 };

extern const u8 straight_line_begin[], straight_line_end[];
static u8 copies[COPIES][COPY_BYTES] __attribute__((aligned(4096)));
static u32 scratch[64];
static u8 *current;

void prepare_straight_line(u32 sample) {
    /* A rerun of a copy would be no cold one: past the last copy, copies are written anew. */
    current = copies[sample % COPIES];
    const u32 length = (u32)(straight_line_end - straight_line_begin);
    for (u32 i = 0; i < length; ++i) current[i] = straight_line_begin[i];
    for (u32 i = 0; i < 64; ++i) scratch[i] = i * 0x01010101u;
}

u32 run_straight_line(void) {
    /* The code keeps to EAX, ECX, EDX, ESI, EDI, the scratch words through EBX, and the stack. */
    u32 result;
    __asm__ volatile("push %%ebp\n\tcall *%[entry]\n\tpop %%ebp"
                     : "=a"(result)
                     : [entry] "c"(current), "b"(scratch)
                     : "edx", "esi", "edi", "memory", "cc");
    return mix(result, scratch[5]);
}
