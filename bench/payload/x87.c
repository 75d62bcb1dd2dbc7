/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 The RingOne authors */
#include "payload.h"

static u32 fold(long double value, u32 sum) {
    union {
        long double value;
        u32 words[3];
    } parts = {0};
    parts.value = value;
    return mix(mix(mix(sum, parts.words[0]), parts.words[1]), parts.words[2] & 0xFFFF);
}

static long double root(long double value) {
    __asm__("fsqrt" : "+t"(value));
    return value;
}

/* Five bodies under gravity, explicit Euler, in extended precision. */
u32 run_nbody_x87(void) {
    enum { BODIES = 5, STEPS = 4000 };
    struct {
        long double at[3], speed[3], mass;
    } body[BODIES];
    u32 seed = 7;
    for (int i = 0; i < BODIES; ++i) {
        for (int d = 0; d < 3; ++d) {
            body[i].at[d] = (long double)(int)(next_random(&seed) & 0xFFFF) / 1024.0L;
            body[i].speed[d] = (long double)(int)(next_random(&seed) & 0xFF) / 4096.0L;
        }
        body[i].mass = 1.0L + (long double)i;
    }
    const long double dt = 0.0078125L;
    for (int step = 0; step < STEPS; ++step) {
        for (int i = 0; i < BODIES; ++i)
            for (int j = i + 1; j < BODIES; ++j) {
                const long double x = body[i].at[0] - body[j].at[0];
                const long double y = body[i].at[1] - body[j].at[1];
                const long double z = body[i].at[2] - body[j].at[2];
                const long double square = x * x + y * y + z * z + 1.0L;
                const long double pull = dt / (square * root(square));
                const long double to_i = pull * body[j].mass, to_j = pull * body[i].mass;
                body[i].speed[0] -= x * to_i;
                body[i].speed[1] -= y * to_i;
                body[i].speed[2] -= z * to_i;
                body[j].speed[0] += x * to_j;
                body[j].speed[1] += y * to_j;
                body[j].speed[2] += z * to_j;
            }
        for (int i = 0; i < BODIES; ++i)
            for (int d = 0; d < 3; ++d) body[i].at[d] += dt * body[i].speed[d];
    }
    u32 sum = 0;
    for (int i = 0; i < BODIES; ++i)
        for (int d = 0; d < 3; ++d) sum = fold(body[i].at[d], sum);
    return sum;
}

/* Horner's scheme, a chain of dependent multiplications and additions. */
u32 run_polynomial_x87(void) {
    enum { DEGREE = 24, POINTS = 60000 };
    long double coefficient[DEGREE + 1];
    u32 seed = 3;
    for (int i = 0; i <= DEGREE; ++i) coefficient[i] = (long double)(int)(next_random(&seed) & 0xFFF) / 4096.0L - 0.5L;
    long double total = 0;
    for (int p = 0; p < POINTS; ++p) {
        const long double x = (long double)p / POINTS;
        long double y = coefficient[DEGREE];
        for (int i = DEGREE - 1; i >= 0; --i) y = y * x + coefficient[i];
        total += y;
    }
    return fold(total, 0);
}
