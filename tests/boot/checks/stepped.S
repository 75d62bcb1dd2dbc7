/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 The RingOne authors */
    .text
    .globl checks_stepped
checks_stepped:
    movl $40, %eax
1:  pushl %eax
2:  popl %eax
3:  jmp 5f
4:  ud2
5:  addl $2, %eax
6:  ret

    .section .rodata
    .globl checks_stepped_at
checks_stepped_at:
    .long checks_stepped, 1b, 2b, 3b, 5b, 6b
    .section .note.GNU-stack, "", @progbits
