/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 The RingOne authors */
#include "payload.h"

enum { LIMIT = 1 << 18, ROUNDS = 4, KEYS = 4096, SEARCHES = 200000 };
static u8 composite[LIMIT];
static u32 keys[KEYS];

u32 run_sieve(void) {
    u32 count = 0;
    for (int round = 0; round < ROUNDS; ++round) {
        for (u32 i = 0; i < LIMIT; ++i) composite[i] = 0;
        for (u32 i = 2; i < LIMIT; ++i) {
            if (composite[i]) continue;
            count = mix(count, i);
            for (u32 j = 2 * i; j < LIMIT; j += i) composite[j] = 1;
        }
    }
    return count;
}

u32 run_binary_search(void) {
    u32 state = 9, key = 0;
    for (int i = 0; i < KEYS; ++i) keys[i] = key += 1 + (next_random(&state) & 0xFF);
    u32 found = 0;
    for (u32 i = 0; i < SEARCHES; ++i) {
        const u32 wanted = next_random(&state) % key;
        u32 low = 0, high = KEYS;
        while (low < high) {
            const u32 middle = (low + high) / 2;
            if (keys[middle] < wanted) low = middle + 1;
            else high = middle;
        }
        found = mix(found, low);
    }
    return found;
}
