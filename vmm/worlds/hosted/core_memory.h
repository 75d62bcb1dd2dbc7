/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 The RingOne authors
 *
 * Included before everything else in the hosted build of the monitor core. The C library's memory functions use
 * vector registers, which hold the guest's state while the monitor runs: explicit calls and those the compiler makes
 * up go to functions that keep to the general registers.
 */
#ifndef RINGONE_CORE_MEMORY_H
#define RINGONE_CORE_MEMORY_H

#ifdef __cplusplus
extern "C" {
#define RINGONE_NOTHROW noexcept
#else
#define RINGONE_NOTHROW
#endif

void* memcpy(void* to, const void* from, __SIZE_TYPE__ bytes) RINGONE_NOTHROW __asm__("ringone_memcpy");
void* memmove(void* to, const void* from, __SIZE_TYPE__ bytes) RINGONE_NOTHROW __asm__("ringone_memmove");
void* memset(void* to, int value, __SIZE_TYPE__ bytes) RINGONE_NOTHROW __asm__("ringone_memset");
int memcmp(const void* a, const void* b, __SIZE_TYPE__ bytes) RINGONE_NOTHROW __asm__("ringone_memcmp");

#undef RINGONE_NOTHROW
#ifdef __cplusplus
}
#endif

#endif
