/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 The RingOne authors */
/* The program that fork_exec starts: exit(0), without a library. */
    .globl _start
_start:
    movl $1, %eax
    xorl %ebx, %ebx
    int $0x80
    .section .note.GNU-stack, "", @progbits
