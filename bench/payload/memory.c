/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 The RingOne authors */
#include "payload.h"

enum { BYTES = 1 << 16, COPIES = 600, WORD_COPIES = 120, SCANS = 48 };
static u32 source[BYTES / 4], target[BYTES / 4];
static char text[BYTES];

static void fill(void) {
    u32 state = 13;
    for (u32 i = 0; i < BYTES / 4; ++i) source[i] = next_random(&state);
}

u32 run_copy_rep(void) {
    fill();
    for (u32 round = 0; round < COPIES; ++round) {
        source[round] += round;
        const void *from = source;
        void *to = target;
        u32 count = BYTES / 4;
        __asm__ volatile("rep movsl" : "+S"(from), "+D"(to), "+c"(count) : : "memory");
    }
    return mix(target[0], target[COPIES - 1]);
}

u32 run_copy_words(void) {
    fill();
    for (u32 round = 0; round < WORD_COPIES; ++round) {
        source[round] += round;
        for (u32 i = 0; i < BYTES / 4; ++i) {
            target[i] = source[i];
            __asm__ volatile("" : : : "memory"); /* a loop of its own, not a call of memcpy */
        }
    }
    return mix(target[0], target[WORD_COPIES - 1]);
}

static void fill_text(void) {
    u32 state = 17;
    for (u32 i = 0; i < BYTES - 1; ++i) text[i] = (char)('a' + next_random(&state) % 26);
    text[BYTES - 1] = 0;
}

u32 run_scan_loop(void) {
    fill_text();
    u32 sum = 0;
    for (u32 round = 0; round < SCANS; ++round) {
        const char *at = text + round;
        while (*at != 0) {
            ++at;
            __asm__ volatile("" : "+r"(at));
        }
        sum = mix(sum, (u32)(at - text) - round);
    }
    return sum;
}

u32 run_scan_rep(void) {
    fill_text();
    u32 sum = 0;
    for (u32 round = 0; round < SCANS; ++round) {
        const char *at = text + round;
        u32 count = ~0u;
        __asm__ volatile("repne scasb" : "+D"(at), "+c"(count) : "a"(0) : "memory", "cc");
        sum = mix(sum, ~count - 1);
    }
    return sum;
}
