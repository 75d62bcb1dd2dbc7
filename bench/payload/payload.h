/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 The RingOne authors */
#ifndef RINGONE_BENCH_PAYLOAD_H
#define RINGONE_BENCH_PAYLOAD_H

/*
 * The compute payload: 32-bit code without a library, the same objects linked once as a Linux program and once as a
 * multiboot guest, at the same addresses. An item's checksum must be equal wherever it runs.
 */
typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;
typedef int s32;

struct item {
    const char *name;
    const char *group;
    u32 (*run)(void);     /* one sample; returns a checksum of what it computed */
    void (*prepare)(u32); /* before every sample, not timed: the sample's number; may be null */
    u32 units;            /* what a sample consists of, for figures a unit (guest instructions ...); 0: nothing */
};

extern const struct item items[];
extern const u32 item_count;

/* What a platform gives: bench/payload/native.S, guest.S. */
void platform_write(const char *text, u32 length);
void platform_exit(u32 status) __attribute__((noreturn));

/* Called by the platform with the command line (words: "quick", "samples=N", "items=NAME,NAME"). */
void payload_main(const char *command_line) __attribute__((noreturn));

/* A linear congruential generator, so that every peer works on the same data. */
static inline u32 next_random(u32 *state) {
    *state = *state * 1664525u + 1013904223u;
    return *state >> 8;
}
static inline u32 mix(u32 sum, u32 value) { return (sum << 5 | sum >> 27) ^ value * 2654435761u; }

u32 run_crc_bitwise(void);
u32 run_crc_table(void);
u32 run_matrix_x87(void);
u32 run_matrix_sse2(void);
u32 run_nbody_x87(void);
u32 run_polynomial_x87(void);
u32 run_sort_callback(void);
u32 run_sort_inline(void);
u32 run_fibonacci(void);
u32 run_ackermann(void);
u32 run_interpreter(void);
u32 run_function_table(void);
u32 run_sieve(void);
u32 run_binary_search(void);
u32 run_copy_rep(void);
u32 run_copy_words(void);
u32 run_scan_loop(void);
u32 run_scan_rep(void);
void prepare_straight_line(u32 sample);
u32 run_straight_line(void);

#endif
