# SPDX-License-Identifier: MIT
# Copyright (c) 2026 The RingOne authors
#
# The payload as a 32-bit Linux program, through the int 0x80 interface.
    .set SYS_EXIT, 1
    .set SYS_WRITE, 4
    .set COMMAND_LINE_BYTES, 1024

    .section .platform, "ax"
    .globl _start
_start:                                 # [esp]: argc, argv...: joined with blanks
    mov (%esp), %ecx
    lea 8(%esp), %esi                   # argv[1]
    mov $command_line, %edi
    cld
1:  dec %ecx
    jle 4f
    lodsl
    mov %eax, %edx
2:  mov (%edx), %al
    inc %edx
    test %al, %al
    jz 3f
    cmp $command_line + COMMAND_LINE_BYTES - 2, %edi
    jae 4f
    stosb
    jmp 2b
3:  mov $' ', %al
    stosb
    jmp 1b
4:  movb $0, (%edi)
    and $-16, %esp
    sub $12, %esp
    push $command_line
    call payload_main

    .globl platform_write
platform_write:
    push %ebx
    mov 8(%esp), %ecx
    mov 12(%esp), %edx
1:  mov $1, %ebx
    mov $SYS_WRITE, %eax
    int $0x80
    test %eax, %eax
    jle 2f
    add %eax, %ecx
    sub %eax, %edx
    jnz 1b
2:  pop %ebx
    ret

    .globl platform_exit
platform_exit:
    mov 4(%esp), %ebx
    mov $SYS_EXIT, %eax
    int $0x80
    hlt

    .bss
command_line:
    .space COMMAND_LINE_BYTES
    .section .note.GNU-stack,"",@progbits
