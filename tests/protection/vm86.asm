; SPDX-License-Identifier: MIT
; Copyright (c) 2026 The RingOne authors
;
; Virtual-8086 mode (SDM Vol. 3, chapter 21): entered by IRET, left by every exception and interrupt; instructions that IOPL
; guards, and those that do not exist there; segments as in real-address mode; page faults; and a monitor of the guest's own
; that reflects INT n and gives the program a virtual IF, as Linux's vm86 does.
    %include "guest.inc"

CODE equ 0x20000
DATA equ 0x30000
STACK equ 0x40000
EXTRA equ 0x50000
PAGES equ 0x60000               ; absent, supervisor, read-only, user
SP_ equ 0x1000
VM equ 0x20000
IOPL_3 equ 0x3000
IF_ equ 0x200
TF equ 0x100
INT_RETURN equ 0x60
REFLECTED equ 0x21
ROUNDS equ 8

; A frame from virtual-8086 mode, above FRAME_EFLAGS.
FRAME_SS equ 72

    section .text
guest_main:
    mov al, 0xFF                ; IF will be set: what a PC's BIOS has left running is not to be seen
    out 0x21, al
    out 0xA1, al
    mov esi, program
    mov edi, CODE
    mov ecx, program.end - program
    rep movsb
    mov dword [hooks + INT_RETURN * 4], returns
    or byte [idt + BP_ * 8 + 5], 0x60
    or byte [idt + OF * 8 + 5], 0x60
    mov dword [round], ROUNDS
.without_paging:
    call everything
    dec dword [round]
    jnz .without_paging
    call enable_paging
    mov dword [round], ROUNDS
.with_paging:
    call everything
    call page_faults
    dec dword [round]
    jnz .with_paging
    mov eax, cr0
    and eax, 0x7FFFFFFF
    mov cr0, eax
    ret

enable_paging:
    mov ecx, 1024               ; the first 4 MiB in small pages
    mov edi, page_table
    mov eax, 7
.page:
    mov [edi], eax
    add edi, 4
    add eax, 4096
    loop .page
    mov dword [page_table + (PAGES >> 12) * 4], 0
    mov dword [page_table + (PAGES >> 12) * 4 + 4], PAGES + 0x1003
    mov dword [page_table + (PAGES >> 12) * 4 + 8], PAGES + 0x2005
    mov dword [page_directory], page_table + 7
    mov eax, page_directory
    mov cr3, eax
    mov eax, cr0
    or eax, 0x80010000
    mov cr0, eax
    ret

; EAX: EFLAGS, EDX: IP. Does not return but by an exception or interrupt.
enter_v86:
    pop ecx                     ; (the attempt's ESP is what counts)
    push dword PAGES >> 4
    push dword 0xFFFF           ; FS: beyond 1 MiB
    push dword DATA >> 4
    push dword EXTRA >> 4
    push dword STACK >> 4
    push dword SP_
    push eax
    push dword CODE >> 4
    push edx
    mov eax, 0x0A0A0A0A
    mov ebx, 0x0B0B0B0B
    mov ecx, 0x0C0C0C0C
    mov edx, 0x0D0D0D0D
    mov esi, 0x51515151
    mov edi, 0xD1D1D1D1
    mov ebp, 0xB9B9B9B9
    iretd

; A routine of the program, and how it ends: at its label .at.
%macro v86 5                    ; name, vector, error, EFLAGS, routine
    attempt %1, %2, %3
    mov dword [expected_eip], %5.at - program
    mov eax, VM + 2 + %4
    mov edx, %5 - program
    at
    call enter_v86
    done
    same %1, [last_cs], CODE >> 4
    mov eax, [last_eflags]
    and eax, VM + IOPL_3
    same %1, eax, VM + ((%4) & IOPL_3)
%endmacro

everything:
    v86 "registers and segments", INT_DONE, 0, IOPL_3, segments
    same "segments: DS, SS", [last_eax], 0x40003000
    same "segments: memory through DS", [DATA + 0x10], 0x12345678
    same "segments: memory through ES", [EXTRA + 0x20], 0xABCD0BAD
    same "segments: pushes", [STACK + SP_ - 4], 0x30005000
    same "segments: beyond 1 MiB", [last_ebx], [0x100000]
    same "segments: a selector that no table has", [last_ecx], 0x0000FEED
    same "segments: a string", [DATA + 0x204], 0x77777777
    v86 "far branches", INT_DONE, 0, IOPL_3, far_branches
    same "far branches", [last_eax], 0x0A0A000F
    v86 "32-bit operands and addresses", INT_DONE, 0, IOPL_3, wide
    same "32-bit operands", [last_eax], 0x12345678
    same "32-bit addresses", [last_ecx], 0x12345678
    v86 "flags with IOPL 3", INT_DONE, 0, IOPL_3, flags
    same "PUSHF shows IOPL", [last_eax], 0x0A0A3002
    same "STI, PUSHF", [last_ebx], 0x0B0B3202
    same "POPF changes no IOPL", [last_ecx], 0x0C0C3002
    same "IRET sets IF", [last_edx], 0x0D0D3202
    v86 "interrupts and back", INT_DONE, 0, IOPL_3, interrupts
    same "interrupts and back", [last_eax], 0x0A0A0002
    same "segments after interrupts", [last_ecx], 0x60003000

    cmp dword [on_qemu], 1      ; TCG checks no limit
    je .no_limits
    v86 "a word across 64 KiB", GP, 0, IOPL_3, across
    v86 "a write across 64 KiB", GP, 0, IOPL_3, write_across
    v86 "a 32-bit address beyond 64 KiB", GP, 0, IOPL_3, beyond
    v86 "a push across 64 KiB", SS_, 0, IOPL_3, push_across
.no_limits:
    v86 "division by zero", DE, 0, 0, divides
    v86 "INT3", BP_, 0, 0, breakpoint
    v86 "INTO", OF, 0, 0, overflow
    v86 "ud2", UD, 0, 0, undefined
    v86 "single step", DB_, 0, TF, one_step

%macro guarded 2                ; name, routine: #GP with IOPL 0
    v86 %1, GP, 0, 0, %2
    v86 %1, GP, 0, IF_, %2
%endmacro
    guarded "cli", cli_alone
    guarded "sti", sti_alone
    guarded "pushf", pushf_alone
    guarded "o32 pushf", pushfd_alone
    guarded "popf", popf_alone
    guarded "int n", int_alone
    guarded "iret", iret_alone

%macro forbidden 3              ; name, vector, routine: whatever IOPL
    v86 %1, %2, 0, 0, %3
    v86 %1, %2, 0, IOPL_3, %3
%endmacro
    forbidden "hlt", GP, hlt_alone
    forbidden "mov cr0", GP, mov_cr0
    forbidden "mov from cr0", GP, mov_from_cr0
    forbidden "mov dr7", GP, mov_dr7
    forbidden "lgdt", GP, lgdt_alone
    forbidden "lmsw", GP, lmsw_alone
    forbidden "clts", GP, clts_alone
    forbidden "invlpg", GP, invlpg_alone
    forbidden "rdmsr", GP, rdmsr_alone
    forbidden "in from a port of the kernel's", GP, in_kernel
    forbidden "out to a port of the kernel's", GP, out_kernel
    forbidden "sldt", UD, sldt_alone
    forbidden "str", UD, str_alone
    forbidden "lldt", UD, lldt_alone
    forbidden "ltr", UD, ltr_alone
    forbidden "lar", UD, lar_alone
    forbidden "lsl", UD, lsl_alone
    forbidden "verr", UD, verr_alone
    forbidden "verw", UD, verw_alone
    forbidden "arpl", UD, arpl_alone
    forbidden "sysexit", GP, sysexit_alone
    v86 "in and out", INT_DONE, 0, IOPL_3, ports
    v86 "smsw, sgdt", INT_DONE, 0, IOPL_3, harmless

    ; With a monitor.
    mov dword [hooks + GP * 4], monitor
    mov word [REFLECTED * 4], reflected - program
    mov word [REFLECTED * 4 + 2], CODE >> 4
    mov dword [virtual_if], 0
    v86 "a program under a monitor", INT_DONE, 0, IF_, monitored
    mov dword [hooks + GP * 4], 0
    same "under a monitor: AX", [last_eax], 0x0A0A0064
    same "under a monitor: flags", [last_ebx], 0x0B0B0000
    same "under a monitor: flags with IF", [last_ecx], 0x0C0C0200
    ret

page_faults:
    v86 "read of an absent page", PF, 4, IOPL_3, reads_absent
    same "CR2 of a read", [last_cr2], PAGES + 0x123
    v86 "write of an absent page", PF, 6, IOPL_3, writes_absent
    same "CR2 of a write", [last_cr2], PAGES + 0x456
    v86 "read of a supervisor page", PF, 5, IOPL_3, reads_supervisor
    same "CR2 of a supervisor page", [last_cr2], PAGES + 0x1000
    v86 "write of a supervisor page", PF, 7, IOPL_3, writes_supervisor
    v86 "string into a supervisor page", PF, 7, IOPL_3, fills
    same "string into a supervisor page: CX", [last_ecx], 0x0C0C000C
    same "CR2 of a string", [last_cr2], PAGES + 0x1000
    v86 "write of a read-only page", PF, 7, IOPL_3, writes_read_only
    v86 "push to an absent page", PF, 6, IOPL_3, pushes_absent
    same "CR2 of a push", [last_cr2], PAGES + 0x7FE
    attempt "fetch from a supervisor page", PF, 5
    mov dword [expected_eip], 0x0004
    mov eax, VM + 2
    mov edx, jumps_away - program
    at
    call enter_v86
    done
    same "CS of a fetch", [last_cs], (PAGES + 0x1000) >> 4
    ret

; EBP: the frame.
returns:
    ret

; #GP of the program: CLI, STI, PUSHF, POPF, INT n and IRET on its behalf.
monitor:
    movzx ebx, word [ebp + FRAME_CS]
    shl ebx, 4
    movzx ecx, word [ebp + FRAME_EIP]
    movzx eax, word [ebx + ecx]
    movzx esi, word [ebp + FRAME_SS]
    shl esi, 4
    movzx edi, word [ebp + FRAME_ESP]
    inc ecx
    cmp al, 0xFA
    je .cli
    cmp al, 0xFB
    je .sti
    cmp al, 0x9C
    je .pushf
    cmp al, 0x9D
    je .popf
    cmp al, 0xCD
    je .int
    cmp al, 0xCF
    je .iret
    jmp attempt_ended
.cli:
    mov dword [virtual_if], 0
    jmp .on
.sti:
    mov dword [virtual_if], IF_
    jmp .on
.flags:                         ; EDX: what the program sees
    mov edx, [ebp + FRAME_EFLAGS]
    and edx, 0xCD5
    or edx, [virtual_if]
    ret
.push:                          ; DX
    sub di, 2
    mov [esi + edi], dx
    ret
.pop:
    mov dx, [esi + edi]
    add di, 2
    ret
.set_flags:                     ; DX
    and edx, 0xED5
    mov eax, edx
    and eax, IF_
    mov [virtual_if], eax
    and edx, ~IF_
    and dword [ebp + FRAME_EFLAGS], ~0xCD5
    or [ebp + FRAME_EFLAGS], edx
    ret
.pushf:
    call .flags
    call .push
    jmp .on
.popf:
    call .pop
    call .set_flags
    jmp .on
.int:
    cmp ah, INT_DONE
    je .is_done
    call .flags
    call .push
    mov dx, [ebp + FRAME_CS]
    call .push
    lea edx, [ecx + 1]
    call .push
    mov dword [virtual_if], 0
    movzx eax, ah
    movzx ecx, word [eax * 4]
    mov dx, [eax * 4 + 2]
    mov [ebp + FRAME_CS], dx
    jmp .on
.iret:
    call .pop
    movzx ecx, dx
    call .pop
    mov [ebp + FRAME_CS], dx
    call .pop
    call .set_flags
.on:
    mov [ebp + FRAME_ESP], di
    mov [ebp + FRAME_EIP], ecx
    ret
.is_done:                       ; the program's end
    mov dword [ebp + FRAME_VECTOR], INT_DONE
    inc ecx
    mov [ebp + FRAME_EIP], ecx
    jmp attempt_ended

    bits 16
program:
segments:
    mov dword [0x10], 0x12345678
    mov word [es:0x20], 0x0BAD
    mov word [es:0x22], 0xABCD
    push word 0x5678
    push word 0x1234
    pop ax
    pop ax
    mov ebx, [fs:0x10]
    mov ax, 0xFEED
    mov gs, ax
    mov ax, 0
    mov ecx, 0
    mov cx, gs
    push ds
    push es
    push ds
    pop es
    mov di, 0x200
    cld
    mov ax, 0x7777
    push cx
    mov cx, 4
    rep stosw
    pop cx
    pop es
    pop ds
    mov ax, ss
    shl eax, 16
    mov ax, ds
    int INT_DONE
.at:

far_branches:
    xor ax, ax
    call CODE >> 4:.callee - program
    jmp CODE >> 4:.there - program
.callee:
    or ax, 1
    retf
.there:
    or ax, 2
    mov word [0x30], .indirect - program
    mov word [0x32], (CODE >> 4) - 1        ; another segment that reaches the same
    add word [0x30], 16
    call far [0x30]
    les di, [0x30]
    mov cx, es
    cmp cx, (CODE >> 4) - 1
    jne .done
    or ax, 8
.done:
    int INT_DONE
.at:
.indirect:
    or ax, 4
    retf

wide:
    mov eax, 0x12345678
    push eax
    mov ebx, 0x40
    a32 mov [ebx + ebx * 2], eax
    mov ecx, [0xC0]
    pop eax
    int INT_DONE
.at:

flags:
    xor bx, bx                  ; all status flags are known
    or bx, 1
    pushf
    pop ax
    and ax, 0xFF02
    sti
    pushf
    pop bx
    and bx, 0xFF02
    push word 0x0002            ; IOPL 0, IF 0
    popf
    pushf
    pop cx
    and cx, 0xFF02
    push word 0x0202
    push cs
    push word .back - program
    iret
.back:
    pushf
    pop dx
    and dx, 0xFF02
    int INT_DONE
.at:

interrupts:
    xor ax, ax
    int INT_RETURN
    inc ax
    int INT_RETURN
    inc ax
    mov cx, gs
    shl ecx, 16
    mov cx, ds
    int INT_DONE
.at:

%macro ends_at 2+               ; label, instruction
%1:
.at:
    %2
%endmacro

across:
    mov bx, 0xFFFF
.at:
    mov ax, [bx]
write_across:
    mov bx, 0xFFFD
.at:
    mov [es:bx], eax
beyond:
    mov ebx, 0x10000
.at:
    a32 mov ax, [ebx]
push_across:
    mov sp, 1
.at:
    push ax
divides:
    xor cx, cx
.at:
    div cx
breakpoint:
    int3
.at:
    nop
overflow:
    mov al, 0x7F
    inc al
    into
.at:
    nop
one_step:
    nop
.at:
    nop
    ends_at undefined, ud2
    ends_at cli_alone, cli
    ends_at sti_alone, sti
    ends_at pushf_alone, pushf
    ends_at pushfd_alone, o32 pushf
    ends_at popf_alone, popf
    ends_at int_alone, int INT_RETURN
    ends_at iret_alone, iret
    ends_at hlt_alone, hlt
    ends_at mov_cr0, mov cr0, eax
    ends_at mov_from_cr0, mov eax, cr0
    ends_at mov_dr7, mov dr7, eax
    ends_at lgdt_alone, lgdt [0x10]
    ends_at lmsw_alone, lmsw ax
    ends_at clts_alone, clts
    ends_at invlpg_alone, invlpg [0x10]
    ends_at rdmsr_alone, rdmsr
    ends_at sldt_alone, sldt ax
    ends_at str_alone, str ax
    ends_at lldt_alone, lldt ax
    ends_at ltr_alone, ltr ax
    ends_at lar_alone, lar ax, cx
    ends_at lsl_alone, lsl ax, cx
    ends_at verr_alone, verr ax
    ends_at verw_alone, verw ax
    ends_at arpl_alone, arpl ax, cx
    ends_at sysexit_alone, sysexit
in_kernel:
    mov dx, 0x400
.at:
    in al, dx
out_kernel:
    mov dx, 0xFFFF
.at:
    out dx, al
ports:
    mov dx, 0x80
    in al, dx
    out dx, al
    mov si, 0x10
    outsb
    int INT_DONE
.at:
harmless:
    smsw ax
    sgdt [0x80]
    sidt [0x90]
    cpuid
    int INT_DONE
.at:

monitored:
    xor ax, ax
    mov cx, 100
.again:
    int REFLECTED
    cli
    pushf
    pop bx
    sti
    push cx
    pushf
    pop cx
    mov si, cx
    pop cx
    push word 0x0202
    popf
    loop .again
    and bx, 0x0F00
    mov cx, si
    and cx, 0x0F00
    int INT_DONE
.at:
reflected:
    inc ax
    iret

reads_absent:
    mov bx, 0x123
.at:
    mov al, [gs:bx]
writes_absent:
    mov bx, 0x456
.at:
    mov [gs:bx], eax
reads_supervisor:
    mov bx, 0x1000
.at:
    cmp [gs:bx], ax
writes_supervisor:
    mov bx, 0x1800
.at:
    inc word [gs:bx]
fills:
    mov ax, (PAGES + 0x1000) >> 4
    mov es, ax
    xor di, di
    mov cx, 12
.at:
    rep stosw
writes_read_only:
    mov bx, 0x2000
.at:
    mov [gs:bx], al
pushes_absent:
    mov ax, PAGES >> 4
    mov ss, ax
    mov sp, 0x800
.at:
    push ax
jumps_away:
    jmp (PAGES + 0x1000) >> 4:4
program.end:
    bits 32

    section .data
    align 4
round: dd 0
virtual_if: dd 0
    section .bss
    alignb 4096
page_directory: resb 4096
page_table: resb 4096
