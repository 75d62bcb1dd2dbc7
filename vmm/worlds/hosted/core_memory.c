/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 The RingOne authors */
#include "vmm/worlds/hosted/core_memory.h"

#include <stddef.h>
#include <stdint.h>

/* Below this many bytes REP's start-up costs more than a loop. */
#define REP_BYTES 128

typedef uint64_t __attribute__((may_alias, aligned(1))) word;

void* memcpy(void* to, const void* from, size_t bytes) {
    unsigned char* t = to;
    const unsigned char* f = from;
    if (bytes >= REP_BYTES) {
        __asm__ volatile("rep movsb" : "+D"(t), "+S"(f), "+c"(bytes) : : "memory");
        return to;
    }
    for (; bytes >= sizeof(word); bytes -= sizeof(word), t += sizeof(word), f += sizeof(word)) *(word*)t = *(const word*)f;
    while (bytes-- > 0) *t++ = *f++;
    return to;
}

void* memmove(void* to, const void* from, size_t bytes) {
    unsigned char* t = to;
    const unsigned char* f = from;
    if ((uintptr_t)t - (uintptr_t)f >= bytes) return memcpy(to, from, bytes);
    while (bytes-- > 0) t[bytes] = f[bytes];
    return to;
}

void* memset(void* to, int value, size_t bytes) {
    unsigned char* t = to;
    if (bytes >= REP_BYTES) {
        __asm__ volatile("rep stosb" : "+D"(t), "+c"(bytes) : "a"(value) : "memory");
        return to;
    }
    while (bytes-- > 0) *t++ = (unsigned char)value;
    return to;
}

int memcmp(const void* a, const void* b, size_t bytes) {
    const unsigned char* x = a;
    const unsigned char* y = b;
    for (; bytes >= sizeof(word) && *(const word*)x == *(const word*)y; bytes -= sizeof(word)) {
        x += sizeof(word);
        y += sizeof(word);
    }
    for (; bytes > 0; --bytes, ++x, ++y)
        if (*x != *y) return *x < *y ? -1 : 1;
    return 0;
}
