; SPDX-License-Identifier: MIT
; Copyright (c) 2026 The RingOne authors
;
; Ways out of the sandbox that a translated guest might find open: the host's selectors and the monitor's LDT entries
; by every far transfer and segment load, the host's system calls, and system instructions at CPL 3. What each must raise:
; SDM Vol. 2, the instruction's pages.
    %include "guest.inc"

    section .text
guest_main:
    call everywhere
    enter_user
    call everywhere
    call user_only
    leave_user
    ret

; Each way to load CS or a data segment register with this selector.
%macro selector_attempts 2      ; selector, error code
    %push
    %defstr %$s %1
    %strcat %$jmp "jmp far ", %$s
    %strcat %$jmpm "jmp far m ", %$s
    %strcat %$call "call far ", %$s
    %strcat %$ret "retf ", %$s
    %strcat %$iret "iret ", %$s
    %strcat %$esp "iret leaves ESP ", %$s
    attempt %$jmp, GP, %2
    at
    jmp %1:0x1000
    done
    attempt %$jmpm, GP, %2
    mov word [pointer + 4], %1
    at
    jmp far [pointer]
    done
    attempt %$call, GP, %2
    at
    call %1:0x1000
    done
    attempt %$ret, GP, %2
    push dword %1
    push dword 0x1000
    at
    retf
    done
    attempt %$iret, GP, %2
    push dword 2
    push dword %1
    push dword 0x1000
    at
    iretd
    done
    mov eax, [expected_esp]
    sub eax, 12
    same %$esp, [last_esp], eax
    %pop
%endmacro

%macro data_attempts 2          ; selector, error code
    %push
    %defstr %$s %1
    %strcat %$lfs "lfs ", %$s
    attempt %$lfs, GP, %2
    mov word [pointer + 4], %1
    at
    lfs eax, [pointer]
    done
    %pop
    sreg_attempts ds, %1, %2
    sreg_attempts es, %1, %2
    sreg_attempts fs, %1, %2
    sreg_attempts gs, %1, %2
    sreg_attempts ss, %1, %2
%endmacro

%macro sreg_attempts 3          ; register, selector, error code
    %push
    %defstr %$r %1
    %defstr %$s %2
    %strcat %$mov "mov ", %$r, ", ", %$s
    %strcat %$pop "pop ", %$r, ", ", %$s
    attempt %$mov, GP, %3
    mov eax, %2
    at
    mov %1, eax
    done
    attempt %$pop, GP, %3
    push dword %2
    at
    pop %1
    done
    %pop
%endmacro

%macro faults 3+                ; name, vector, instruction (error code 0)
    attempt %1, %2, 0
    at
    %3
    done
%endmacro

everywhere:
    attempt "TF over MOV SS", DB_, 0
    mov edx, ss
    pushfd
    or dword [esp], 0x100
    popfd
    mov ss, edx
    nop
    at
    done
    attempt "TF over POP SS", DB_, 0
    push ss
    pushfd
    or dword [esp], 0x100
    popfd
    pop ss
    nop
    at
    done
    selector_attempts 0x23, 0x20
    selector_attempts 0x2B, 0x28
    selector_attempts 0x33, 0x30
    selector_attempts 0x20, 0x20
    selector_attempts 0x30, 0x30
    selector_attempts 0x07, 0x04
    selector_attempts 0x0F, 0x0C
    selector_attempts 0x17, 0x14
    selector_attempts 0x0C, 0x0C
    selector_attempts 0x103, 0x100
    selector_attempts 0xFFFF, 0xFFFC
    selector_attempts 0x00, 0x00
    selector_attempts 0x03, 0x00
    data_attempts 0x23, 0x20
    data_attempts 0x2B, 0x28
    data_attempts 0x33, 0x30
    data_attempts 0x07, 0x04
    data_attempts 0x0F, 0x0C
    data_attempts 0x17, 0x14
    data_attempts 0x103, 0x100
    data_attempts 0xFFFF, 0xFFFC

    attempt "int 0x80 is the guest's own", 0x80, 0
    mov eax, 1                  ; exit, to a Linux host
    mov ebx, 99
    int 0x80
    at
    done
    faults "syscall", UD, syscall
    faults "sysret", UD, sysret
    faults "sysenter without IA32_SYSENTER_CS", GP, sysenter
    faults "sysexit without IA32_SYSENTER_CS", GP, sysexit
    faults "ud2", UD, ud2
    faults "swapgs", UD, db 0x0F, 0x01, 0xF8
    faults "mov cs, ax", UD, db 0x8E, 0xC8
    ret

user_only:
    faults "cli", GP, cli
    faults "sti", GP, sti
    faults "hlt", GP, hlt
    faults "clts", GP, clts
    faults "invd", GP, invd
    faults "wbinvd", GP, wbinvd
    faults "lgdt", GP, lgdt [gdt_pointer]
    faults "lidt", GP, lidt [idt_pointer]
    faults "lldt", GP, lldt ax
    faults "ltr", GP, ltr ax
    faults "lmsw", GP, lmsw ax
    faults "mov cr0", GP, mov cr0, eax
    faults "mov from cr0", GP, mov eax, cr0
    faults "mov cr3", GP, mov cr3, eax
    faults "mov cr4", GP, mov cr4, eax
    faults "mov dr7", GP, mov dr7, eax
    faults "invlpg", GP, invlpg [0]
    faults "rdmsr", GP, rdmsr
    faults "wrmsr", GP, wrmsr
    attempt "in from a port of the kernel's", GP, 0
    mov edx, 0x400
    at
    in al, dx
    done
    attempt "out to a port of the kernel's", GP, 0
    mov edx, 0xFFFF
    at
    out dx, eax
    done
    attempt "outsb to a port of the kernel's", GP, 0
    mov edx, 0x3FF              ; a word: half of it is
    mov esi, pointer
    at
    outsw
    done
    attempt "int to the kernel's gate", GP, 0x6A    ; IDT, vector 13
    at
    int 13
    done
    ret

    section .data
    align 4
pointer: dd 0x1000
    dw 0
