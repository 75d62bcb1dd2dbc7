/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 The RingOne authors */
#include "payload.h"

/* A byte-code interpreter: one indirect jump through a table an operation. */
enum operation { ADD, SUB, XOR, SHIFT, LOAD, STORE, DECREMENT_JUMP, STOP };
enum { PROGRAM_ROUNDS = 120000 };

static const u8 program[] = {LOAD, 0, ADD, 3, STORE, 1, XOR, 1, SHIFT, 5, LOAD, 1, SUB, 2, STORE, 0, ADD, 7, XOR, 0,
                             STORE, 2, DECREMENT_JUMP, 0, STOP, 0};

u32 run_interpreter(void) {
    u32 memory[4] = {1, 2, 3, PROGRAM_ROUNDS};
    u32 accumulator = 0;
    static const void *const targets[] = {&&add, &&sub, &&xor, &&shift, &&load, &&store, &&decrement_jump, &&stop};
    const u8 *at = program;
#define NEXT() goto *targets[*at]
    NEXT();
add:
    accumulator += at[1];
    at += 2;
    NEXT();
sub:
    accumulator -= memory[at[1]];
    at += 2;
    NEXT();
xor:
    accumulator ^= memory[at[1]];
    at += 2;
    NEXT();
shift:
    accumulator = accumulator << at[1] | accumulator >> (32 - at[1]);
    at += 2;
    NEXT();
load:
    accumulator = memory[at[1]];
    at += 2;
    NEXT();
store:
    memory[at[1]] = accumulator;
    at += 2;
    NEXT();
decrement_jump:
    at = --memory[3] != 0 ? program + at[1] : at + 2;
    NEXT();
stop:
    return mix(mix(accumulator, memory[0]), memory[1]);
}

/* Calls through a table of functions, in an order that no predictor of one target a site gets right. */
enum { CALLS = 1000000, ORDER = 64 };

static u32 f0(u32 x) { return x + 0x9E3779B9u; }
static u32 f1(u32 x) { return x ^ x >> 7; }
static u32 f2(u32 x) { return x * 5u; }
static u32 f3(u32 x) { return x - 0x7F4A7C15u; }
static u32 f4(u32 x) { return x << 3 | x >> 29; }
static u32 f5(u32 x) { return ~x; }
static u32 f6(u32 x) { return x ^ 0x85EBCA6Bu; }
static u32 f7(u32 x) { return x + (x << 3); }
static u32 (*volatile table[8])(u32) = {f0, f1, f2, f3, f4, f5, f6, f7};

u32 run_function_table(void) {
    u8 order[ORDER];
    u32 state = 11;
    for (int i = 0; i < ORDER; ++i) order[i] = (u8)(next_random(&state) & 7);
    u32 x = 1;
    for (u32 i = 0; i < CALLS; ++i) x = table[order[i % ORDER]](x);
    return x;
}
