/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 The RingOne authors */
#include "payload.h"

enum { MAX_SAMPLES = 64, FULL_SAMPLES = 15, QUICK_SAMPLES = 5 };

static char line[64 + 18 * (MAX_SAMPLES + 4)];
static u32 line_length;

static void put(const char *text) {
    while (*text != 0) line[line_length++] = *text++;
}

static void put_hex(u64 value) {
    int digit = 60;
    while (digit > 0 && (value >> digit) == 0) digit -= 4;
    for (; digit >= 0; digit -= 4) line[line_length++] = "0123456789abcdef"[(u32)(value >> digit) & 15];
}

static void flush(void) {
    platform_write(line, line_length);
    line_length = 0;
}

static u64 cycles(void) {
    u32 low, high;
    /* LFENCE is the usual fence here; CPUID would trap to a monitor. */
    __asm__ volatile("lfence; rdtsc" : "=a"(low), "=d"(high) : : "memory");
    return (u64)high << 32 | low;
}

/* The word of the command line that begins with `name`, behind it; null without. */
static const char *option(const char *command_line, const char *name) {
    const char *at = command_line;
    while (*at != 0) {
        const char *a = at, *b = name;
        while (*b != 0 && *a == *b) ++a, ++b;
        if (*b == 0) return a;
        while (*at != 0 && *at != ' ') ++at;
        while (*at == ' ') ++at;
    }
    return 0;
}

static u32 number(const char *text) {
    u32 value = 0;
    while (*text >= '0' && *text <= '9') value = value * 10 + (u32)(*text++ - '0');
    return value;
}

/* Is the name in the comma-separated list? */
static int listed(const char *list, const char *name) {
    while (*list != 0 && *list != ' ') {
        const char *b = name;
        while (*b != 0 && *list == *b) ++list, ++b;
        if (*b == 0 && (*list == 0 || *list == ' ' || *list == ',')) return 1;
        while (*list != 0 && *list != ' ' && *list != ',') ++list;
        if (*list == ',') ++list;
    }
    return 0;
}

/* "item NAME GROUP UNITS CHECKSUM SAMPLE...", figures in hexadecimal, samples in TSC cycles. */
static void measure(const struct item *item, u32 samples) {
    u32 checksum = 0;
    put("item ");
    put(item->name);
    put(" ");
    put(item->group);
    put(" ");
    put_hex(item->units);
    u64 taken[MAX_SAMPLES];
    for (u32 i = 0; i < samples; ++i) {
        if (item->prepare != 0) item->prepare(i);
        const u64 begin = cycles();
        const u32 result = item->run();
        taken[i] = cycles() - begin;
        if (i != 0 && result != checksum) {
            put(" unstable\n");
            flush();
            platform_exit(1);
        }
        checksum = result;
    }
    put(" ");
    put_hex(checksum);
    for (u32 i = 0; i < samples; ++i) {
        put(" ");
        put_hex(taken[i]);
    }
    put("\n");
    flush();
}

void payload_main(const char *command_line) {
    const char *list = option(command_line, "items=");
    const char *wanted = option(command_line, "samples=");
    u32 samples = option(command_line, "quick") != 0 ? QUICK_SAMPLES : FULL_SAMPLES;
    if (wanted != 0) samples = number(wanted);
    if (samples < 1) samples = 1;
    if (samples > MAX_SAMPLES) samples = MAX_SAMPLES;
    for (u32 i = 0; i < item_count; ++i)
        if (list == 0 || listed(list, items[i].name)) measure(&items[i], samples);
    put("done\n");
    flush();
    platform_exit(0);
}

/* The compiler may call these for loops and structures. */
void *memset(void *to, int value, u32 length) {
    void *at = to;
    __asm__ volatile("rep stosb" : "+D"(at), "+c"(length) : "a"(value) : "memory");
    return to;
}
void *memcpy(void *to, const void *from, u32 length) {
    void *at = to;
    __asm__ volatile("rep movsb" : "+D"(at), "+S"(from), "+c"(length) : : "memory");
    return to;
}
