# SPDX-License-Identifier: MIT
# Copyright (c) 2026 The RingOne authors
#
# The gates between 64-bit monitor code and 32-bit fragments in the process world.
# Offsets are those of GuestContext (vmm/monitor/guest_context.hpp asserts them).

    .set CTX_FLAGS, 32
    .set CTX_CCF, 36
    .set CTX_ES, 40
    .set CTX_SS, 42
    .set CTX_DS, 44
    .set CTX_FS, 46
    .set CTX_GS, 48
    .set CTX_CODE, 50
    .set CTX_EXIT, 52
    .set CTX_KICKED, 72
    .set CTX_STEP, 76
    .set CTX_HOST_RSP, 80
    .set CTX_HOST_FS, 88
    .set CTX_ENTRY, 104
    .set EXIT_KICK, 2
    .set EFLAGS_TF, 0x100
    .set EFLAGS_HARDWARE, 0x40CD7   # status flags, DF, AC, the fixed bit
    .set EFLAGS_IF, 0x202

    .text

# void ringone_gate_enter(GuestContext*)
    .globl ringone_gate_enter
    .type ringone_gate_enter, @function
ringone_gate_enter:
    push %rbx
    push %rbp
    push %r12
    push %r13
    push %r14
    push %r15
    mov %rsp, CTX_HOST_RSP(%rdi)
# Between here and ringone_gate_entered a signal finds the guest's state still whole in memory: its handler moves
# RIP to ringone_gate_abandon.
    .globl ringone_gate_window
ringone_gate_window:
    cmpl $0, CTX_KICKED(%rdi)
    jne ringone_gate_abandon
    mov %rdi, %r8
    mov CTX_GS(%r8), %gs
    mov CTX_ES(%r8), %es
    mov CTX_DS(%r8), %ds
    mov CTX_FS(%r8), %fs
    mov CTX_CCF(%r8), %eax
    mov %eax, CTX_ENTRY(%r8)
    movzwl CTX_CODE(%r8), %eax
    mov %ax, CTX_ENTRY+4(%r8)
    mov CTX_FLAGS(%r8), %eax
    and $EFLAGS_HARDWARE, %eax
    or $EFLAGS_IF, %eax
    cmpl $0, CTX_STEP(%r8)
    jne 1f
    push %rax
    popfq
    mov 0(%r8), %eax
    mov 4(%r8), %ecx
    mov 8(%r8), %edx
    mov 12(%r8), %ebx
    mov 20(%r8), %ebp
    mov 24(%r8), %esi
    mov 28(%r8), %edi
    mov CTX_SS(%r8), %ss
    mov 16(%r8), %esp
    ljmp *CTX_ENTRY(%r8)
1:  # One instruction: IRET sets TF so that the trap comes after the first instruction there.
    or $EFLAGS_TF, %eax
    movzwl CTX_SS(%r8), %ecx
    push %rcx
    mov 16(%r8), %ecx
    push %rcx
    push %rax
    movzwl CTX_CODE(%r8), %ecx
    push %rcx
    mov CTX_CCF(%r8), %ecx
    push %rcx
    mov 0(%r8), %eax
    mov 4(%r8), %ecx
    mov 8(%r8), %edx
    mov 12(%r8), %ebx
    mov 20(%r8), %ebp
    mov 24(%r8), %esi
    mov 28(%r8), %edi
    iretq
    .globl ringone_gate_entered
ringone_gate_entered:
    ud2

    .globl ringone_gate_abandon
ringone_gate_abandon:
    movl $EXIT_KICK, CTX_EXIT(%rdi)
    jmp ringone_gate_leave

# void ringone_gate_from_trap(GuestContext*, const void* fxsave_image): from the signal handler, which has saved the
# guest's general registers, past the kernel: the image holds what the guest's x87/SSE registers were.
    .globl ringone_gate_from_trap
    .type ringone_gate_from_trap, @function
ringone_gate_from_trap:
    fxrstor64 (%rsi)
    push $2                         # the kernel leaves the guest's AC set
    popfq
    jmp ringone_gate_leave
    .size ringone_gate_from_trap, . - ringone_gate_from_trap

# Reached from the trampoline in the zone, with the context in R15 and the guest's registers live.
    .globl ringone_gate_exit
    .type ringone_gate_exit, @function
ringone_gate_exit:
    mov %eax, 0(%r15)
    mov %ecx, 4(%r15)
    mov %edx, 8(%r15)
    mov %ebx, 12(%r15)
    mov %esp, 16(%r15)
    mov %ebp, 20(%r15)
    mov %esi, 24(%r15)
    mov %edi, 28(%r15)
    mov %r15, %rdi
    mov %es, CTX_ES(%rdi)           # fragments load segment registers
    mov %ss, CTX_SS(%rdi)
    mov %ds, CTX_DS(%rdi)
    mov %fs, CTX_FS(%rdi)
    mov CTX_HOST_RSP(%rdi), %rsp
    pushfq
    pop %rax
    mov %eax, CTX_FLAGS(%rdi)
    push $2                         # the guest's AC and DF are not for our code
    popfq
    movl $0, CTX_EXIT(%rdi)
# The signal handler continues here after it has saved the guest's registers itself. RDI: the context.
    .globl ringone_gate_leave
ringone_gate_leave:
    mov CTX_HOST_RSP(%rdi), %rsp
    cld
    mov CTX_HOST_FS(%rdi), %rax
    wrfsbase %rax
    pop %r15
    pop %r14
    pop %r13
    pop %r12
    pop %rbp
    pop %rbx
    ret
    .size ringone_gate_exit, . - ringone_gate_exit

    .section .note.GNU-stack,"",@progbits
