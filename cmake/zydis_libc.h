/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 The RingOne authors
 *
 * The C functions that Zydis uses, where it is built without libc. Its own stand-ins clear memory byte by byte
 * through a volatile pointer, which took half of all translation time.
 */
#ifndef RINGONE_ZYDIS_LIBC_H
#define RINGONE_ZYDIS_LIBC_H

#include <stdarg.h>

#define ZYAN_CUSTOM_LIBC
#define ZYAN_MEMCPY __builtin_memcpy
#define ZYAN_MEMSET __builtin_memset
#define ZYAN_STRLEN __builtin_strlen

typedef va_list ZyanVAList;

#endif
