# SPDX-License-Identifier: MIT
# Copyright (c) 2026 The RingOne authors
#
# The payload as a multiboot guest: flat protected mode, paging and interrupts off, COM1 polled, exit port 0xF4.
    .set MULTIBOOT_MAGIC, 0x1BADB002
    .set MULTIBOOT_FLAGS, 3
    .set INFO_HAS_COMMAND_LINE, 4
    .set INFO_COMMAND_LINE, 16
    .set COM1, 0x3F8
    .set COM1_LINE_STATUS, 0x3FD
    .set TRANSMITTER_EMPTY, 0x20
    .set EXIT_PORT, 0xF4
    .set CR0_MP, 2
    .set CR0_EM, 4
    .set CR4_OSFXSR, 0x200
    .set STACK_BYTES, 1 << 20           # as much as Linux gives at once to a program's stack that grows

    .section .platform, "ax"
    .align 4
    .long MULTIBOOT_MAGIC, MULTIBOOT_FLAGS, -(MULTIBOOT_MAGIC + MULTIBOOT_FLAGS)

    .globl _start
_start:
    mov $stack_top, %esp
    cld
    mov %cr0, %eax
    and $~CR0_EM, %eax
    or $CR0_MP, %eax
    mov %eax, %cr0
    mov %cr4, %eax
    or $CR4_OSFXSR, %eax
    mov %eax, %cr4
    fninit
    mov $no_command_line, %eax
    testl $INFO_HAS_COMMAND_LINE, (%ebx)
    jz 1f
    mov INFO_COMMAND_LINE(%ebx), %eax
1:  sub $12, %esp
    push %eax
    call payload_main

    .globl platform_write
platform_write:
    push %esi
    mov 8(%esp), %esi
    mov 12(%esp), %ecx
1:  jecxz 3f
    mov $COM1_LINE_STATUS, %edx
2:  in (%dx), %al
    test $TRANSMITTER_EMPTY, %al
    jz 2b
    mov $COM1, %edx
    lodsb
    out %al, (%dx)
    dec %ecx
    jmp 1b
3:  pop %esi
    ret

    .globl platform_exit
platform_exit:
    mov 4(%esp), %eax
    mov $EXIT_PORT, %edx
    out %eax, (%dx)
1:  hlt
    jmp 1b

no_command_line:
    .byte 0

    .bss
    .align 16
    .space STACK_BYTES
stack_top:
    .section .note.GNU-stack,"",@progbits
