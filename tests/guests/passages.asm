; SPDX-License-Identifier: MIT
; Copyright (c) 2026 The RingOne authors
;
; Changes of privilege, many times: SYSENTER, SYSEXIT, INT and IRET between flat segments, with random
; registers, flags and data segments, each looked at on arrival; then single ones that must fault or lead elsewhere
; after something changed (SDM Vol. 2, IRET, SYSENTER, SYSEXIT). All with and without paging.
    %include "guest.inc"
    %include "paging.inc"

TIMER equ 0x20
INT_CALL equ 0x61
ROUNDS equ 5000
; What IA32_SYSENTER_CS gives.
K_CODE equ FREE_SELECTOR
K_DATA equ FREE_SELECTOR + 8
U_CODE equ FREE_SELECTOR + 16 + 3
U_DATA equ FREE_SELECTOR + 24 + 3
K_CODE_2 equ FREE_SELECTOR + 32 ; and another
K_DATA_2 equ FREE_SELECTOR + 40
U_CODE_2 equ FREE_SELECTOR + 48 + 3
U_DATA_2 equ FREE_SELECTOR + 56 + 3
; What gates and the TSS give: the same, or in a guest that defines MIXED others.
%ifdef MIXED
GATE_CODE equ KERNEL_CODE
GATE_DATA equ KERNEL_DATA
%else
GATE_CODE equ K_CODE
GATE_DATA equ K_DATA
%endif
; Data with other bases.
U_FS equ FREE_SELECTOR + 64 + 3
U_GS equ FREE_SELECTOR + 72 + 3
K_FS equ FREE_SELECTOR + 80
K_GS equ FREE_SELECTOR + 88
HIGH equ 0xFF800000             ; the only pages that are the kernel's alone
ABSENT equ 0x1000000            ; above what is mapped
RANDOM_FLAGS equ 0xCD5          ; DF and status
SHOWN_FLAGS equ 0x267FD5        ; all but RF
AC equ 0x40000
ID equ 0x200000
VM equ 0x20000

    section .text
guest_main:
    set_descriptor K_CODE, 0, 0xFFFFF, 0x9B, 0xC
    set_descriptor K_DATA, 0, 0xFFFFF, 0x93, 0xC
    set_descriptor K_CODE_2, 0, 0xFFFFF, 0x9B, 0xC
    set_descriptor K_DATA_2, 0, 0xFFFFF, 0x93, 0xC
    call good_users
    set_descriptor U_CODE_2, 0, 0xFFFFF, 0xFB, 0xC
    set_descriptor U_DATA_2, 0, 0xFFFFF, 0xF3, 0xC
    set_descriptor K_FS, 0, 0xFFFFF, 0x93, 0xC
    set_descriptor K_GS, 0, 0xFFFFF, 0x93, 0xC
    set_descriptor U_GS, 0, 0xFFFFF, 0xF3, 0xC
    mov eax, tag_u_gs
    mov ebx, gdt + (U_GS & ~7)
    call set_base
    mov eax, tag_k_fs
    mov ebx, gdt + K_FS
    call set_base
    mov eax, tag_k_gs
    mov ebx, gdt + K_GS
    call set_base
    mov dword [hooks + TIMER * 4], timer
    mov eax, int_entry
    mov [idt + INT_CALL * 8], ax
    shr eax, 16
    mov [idt + INT_CALL * 8 + 6], ax
    mov dword [tss + 8], GATE_DATA
    xor ecx, ecx
.gate:
    mov word [idt + ecx * 8 + 2], GATE_CODE
    inc ecx
    cmp ecx, 256
    jb .gate
    call good_msrs
    call start_timer
    mov byte [0x7000], 0xF4     ; HLT, for virtual-8086 mode

    mov eax, 3
    call enable_paging
    mov eax, [HIGH]             ; a monitor may want to know where the kernel's pages begin
    mov eax, ROUNDS
    call rounds
    call singles
    call absent_frame
    call disable_paging
    mov eax, ROUNDS
    call rounds
    call singles
    same "interrupts with IF 0", [closed], 0
    same "interrupts after STI", [in_shadow], 0
    cmp dword [landed], 0
    je .out
    mov esi, text_landed
    call print
.out:
    ret

start_timer:                    ; where there is one: 8259, IRQ 0 only; 8254 counter 0, mode 2, 2 kHz
    mov al, 0x11
    out 0x20, al
    mov al, TIMER
    out 0x21, al
    mov al, 4
    out 0x21, al
    mov al, 1
    out 0x21, al
    mov al, 0xFE
    out 0x21, al
    mov al, 0x34
    out 0x43, al
    mov al, 597 & 0xFF
    out 0x40, al
    mov al, 597 >> 8
    out 0x40, al
    ret

good_users:
    set_descriptor U_CODE, 0, 0xFFFFF, 0xFB, 0xC
    set_descriptor U_DATA, 0, 0xFFFFF, 0xF3, 0xC
    set_descriptor U_FS, 0, 0xFFFFF, 0xF3, 0xC
    mov eax, tag_u_fs
    mov ebx, gdt + (U_FS & ~7)
set_base:                       ; EAX: the base, EBX: the descriptor
    mov [ebx + 2], ax
    shr eax, 16
    mov [ebx + 4], al
    mov [ebx + 7], ah
    ret

%macro set_msr 2
    mov ecx, %1
    mov eax, %2
    xor edx, edx
    wrmsr
%endmacro

good_msrs:
    set_msr 0x174, K_CODE
    set_msr 0x175, sysenter_stack_top
    set_msr 0x176, sysenter_entry
    ret

; EBP: the frame.
timer:
    mov al, 0x20
    out 0x20, al
    mov eax, K_FS
    mov fs, eax
    mov eax, K_GS
    mov gs, eax
    same "FS base in an interrupt", [fs:0], [tag_k_fs]
    same "GS base in an interrupt", [gs:0], [tag_k_gs]
    test dword [ebp + FRAME_EFLAGS], 0x200
    jnz .open
    inc dword [closed]
.open:
    mov eax, [ebp + FRAME_EIP]
    cmp eax, sysenter_entry.after_sti
    jne .no_shadow
    inc dword [in_shadow]
.no_shadow:
    cmp eax, after_sysexit
    jne .out
    inc dword [landed]
    mov eax, [ebp + FRAME_CS]
    same "interrupt at the first user instruction: CS", eax, U_CODE
.out:
    ret

; What was found on arrival, and what is wanted, in dwords: what verify has pushed.
S_FS_TAG equ 1
S_SEGMENTS equ 2                ; GS FS ES DS
S_SS equ 6
S_CS equ 7
S_RETURN equ 8                  ; not looked at
S_GPR equ 9
S_ESP equ 12
S_EDX equ 14
S_ECX equ 15
S_EFLAGS equ 17
S_COUNT equ 18
%define want(n) dword [wanted + (n) * 4]

%macro arrive 1                 ; name
    %push
    [section .rodata]
    %$name: db %1, 0
    __?SECT?__
    pushfd
    pushad
    mov ebx, %$name
    call verify
    mov eax, USER_DATA
    mov ds, eax
    mov es, eax
    %pop
%endmacro

; EBX: name. Takes what `arrive` has pushed off the stack. Nothing is known of DS and ES.
verify:
    cld
    mov eax, cs
    push eax
    mov eax, ss
    push eax
    mov eax, ds
    push eax
    mov eax, es
    push eax
    mov ecx, fs
    push ecx
    mov edx, gs
    push edx
    test byte [ss:seed], 1      ; either may be the one that a translator has to make good first
    jz .fs
    call .gs_tag
.fs:
    jecxz .no_fs
    mov ecx, [fs:0]
.no_fs:
    push ecx
    call .gs_tag
    push edx
    inc dword [ss:attempts]
    xor ecx, ecx
.next:
    mov eax, [esp + ecx * 4]
    mov edx, [ss:wanted + ecx * 4]
    cmp ecx, S_RETURN
    je .right
    cmp ecx, S_EFLAGS
    jne .compare
    and eax, SHOWN_FLAGS
    and edx, SHOWN_FLAGS
.compare:
    cmp eax, edx
    jne .wrong
.right:
    inc ecx
    cmp ecx, S_COUNT
    jb .next
    mov eax, [esp + S_RETURN * 4]
    add esp, S_COUNT * 4
    jmp eax
.gs_tag:                        ; EDX
    mov edx, gs
    test edx, edx
    jz .no_gs
    mov edx, [gs:0]
.no_gs:
    ret
.wrong:
    push ds
    pushad
    mov esi, USER_DATA
    mov ds, esi
    mov esi, ebx
    call print
    mov esi, text_separator
    call print
    push edx
    push eax
    push dword [item_names + ecx * 4]
    call check_same
    add esp, 12
    cmp dword [failures], 40
    jb .go_on
    mov eax, 1
    jmp exit
.go_on:
    popad
    pop ds
    jmp .right

random:                         ; EAX; flat DS
    imul eax, [seed], 1664525
    add eax, 1013904223
    mov [seed], eax
    rol eax, 13
    ret

; Chooses what is to arrive: general registers, flags and data segments. AL: 0 user's segments only, 1 kernel's
; as well, 2 the same, and those will be emptied. Flat DS.
prepare:
    mov [segment_choice], al
    mov ecx, 7
.register:
    call random
    mov [wanted + S_GPR * 4 + ecx * 4], eax
    dec ecx
    jns .register
    mov ecx, 3
.segment:
    call random
    mov edx, eax
    and edx, 3
    cmp byte [segment_choice], 0
    je .chosen
    test eax, 0x1F00
    jnz .chosen
    or edx, 4
.chosen:
    mov ebx, pool_data
    cmp ecx, 2
    jae .pool
    mov ebx, pool_based
.pool:
    movzx eax, word [ebx + edx * 2]
    mov [loads + ecx * 4], eax
    cmp byte [segment_choice], 2
    jne .stays
    cmp edx, 4
    jb .stays
    xor eax, eax
.stays:
    mov [wanted + S_SEGMENTS * 4 + ecx * 4], eax
    cmp ecx, 2
    jae .no_tag
    test eax, eax
    jz .tag
    mov eax, [pool_tags + edx * 4]
    mov eax, [eax]
.tag:
    mov [wanted + ecx * 4], eax
.no_tag:
    dec ecx
    jns .segment
    call random
    mov edx, eax
    shr edx, 27
    cmp edx, 1
    sbb edx, edx
    and edx, AC | ID            ; seldom: fragments leave a change of them to the monitor
    and eax, RANDOM_FLAGS
    lea eax, [eax + edx + 2]
    mov want(S_EFLAGS), eax
    ret

; Registers as prepared, flags from [load_flags]; ESP stays.
%macro load 0
    push dword [load_flags]
    popfd
    mov edi, want(S_GPR)
    mov esi, want(S_GPR + 1)
    mov ebp, want(S_GPR + 2)
    mov ebx, want(S_GPR + 4)
    mov edx, want(S_EDX)
    mov ecx, want(S_ECX)
    mov eax, want(S_GPR + 7)
    mov gs, [ss:loads]
    mov fs, [ss:loads + 4]
    mov es, [ss:loads + 8]
    mov ds, [ss:loads + 12]
%endmacro

; As `load` has it at CPL 3: IF and IOPL are what they are.
%macro user_flags 0
    pushfd
    pop eax
    and eax, 0x3200
    or eax, want(S_EFLAGS)
    mov [load_flags], eax
    and eax, ~0x200
    mov want(S_EFLAGS), eax
%endmacro

random_user_esp:                ; EAX
    call random
    and eax, 0x3FC
    neg eax
    add eax, user_stack_top - 64
    ret

; EAX: how many. At CPL 0; returns there.
rounds:
    mov [rounds_left], eax
    enter_user
.round:
    dec dword [rounds_left]
    js near .end
    call random
    test eax, 0x700
    jnz .same_code
    push dword USER_CODE        ; other selectors of the same segments, without the kernel's help
    push dword .other_code
    retf
.other_code:
    mov eax, USER_DATA
    mov ss, eax
.same_code:
    mov al, 0
    call prepare
    user_flags
    mov want(S_CS), K_CODE
    mov want(S_SS), K_DATA
    mov want(S_ESP), sysenter_stack_top - 4
    load
    sysenter
.end:
    leave_user
    ret

; SYSENTER leads here, and SYSEXIT back.
sysenter_entry:
    arrive "after SYSENTER"
    call random
    test eax, 1
    jz .straight
    mov eax, K_GS               ; each in the other's register first
    mov fs, eax
    mov eax, K_FS
    mov gs, eax
    same "FS base in the kernel, swapped", [fs:0], [tag_k_gs]
    same "GS base in the kernel, swapped", [gs:0], [tag_k_fs]
.straight:
    mov eax, K_FS
    mov fs, eax
    mov eax, K_GS
    mov gs, eax
    same "FS base in the kernel", [fs:0], [tag_k_fs]
    same "GS base in the kernel", [gs:0], [tag_k_gs]
    call random
    and al, 3
    mov [opens], al
    sete al                     ; with IF 1 an interrupt's IRET would empty the kernel's segments
    call prepare
    mov want(S_CS), U_CODE
    mov want(S_SS), U_DATA
    call random_user_esp
    mov want(S_ECX), eax
    sub eax, 4
    mov want(S_ESP), eax
    mov want(S_EDX), after_sysexit
    call random
    and eax, 0x3000             ; IOPL
    or eax, want(S_EFLAGS)
    mov want(S_EFLAGS), eax
    mov [load_flags], eax
    cmp byte [opens], 0
    je .stays_closed
    call random
    or want(S_EFLAGS), 0x200
    test eax, 0x4
    jz .popped
    test eax, 0x1F0
    jnz .loaded
    mov ecx, 100000             ; an interrupt may well come now
.wait:
    dec ecx
    jnz .wait
.loaded:
    load
    sti
.after_sti:
    sysexit
    ud2
.popped:
    or dword [load_flags], 0x200
.stays_closed:
    load
    sysexit
    ud2

after_sysexit:
    arrive "after SYSEXIT"
    mov al, 0
    call prepare
    user_flags
    mov want(S_CS), GATE_CODE
    mov want(S_SS), GATE_DATA
    mov eax, [tss + 4]
    sub eax, 24
    mov want(S_ESP), eax
    mov [interrupted_esp], esp
    load
    int INT_CALL
.after_int:
    ud2

; The gate of INT_CALL leads here, and IRET back.
int_entry:
    arrive "after INT"
    pop eax
    same "frame: EIP", eax, after_sysexit.after_int
    pop eax
    same "frame: CS", eax, U_CODE
    pop eax
    and eax, SHOWN_FLAGS
    mov edx, [load_flags]
    and edx, SHOWN_FLAGS
    same "frame: EFLAGS", eax, edx
    pop eax
    same "frame: ESP", eax, [interrupted_esp]
    pop eax
    same "frame: SS", eax, U_DATA
    mov al, 2
    call prepare
    mov want(S_CS), U_CODE
    mov want(S_SS), U_DATA
    call random
    test eax, 0xF
    jnz .usual
    mov want(S_CS), USER_CODE   ; flat as well
    mov want(S_SS), USER_DATA
.usual:
    call random
    mov edx, eax
    and eax, 0x3200             ; IOPL, IF
    test edx, 0x700000
    jz .any_iopl
    and eax, 0x200
.any_iopl:
    or want(S_EFLAGS), eax
    call random_user_esp
    push want(S_SS)
    push eax
    push want(S_EFLAGS)
    push want(S_CS)
    push dword after_iret
    sub eax, 4
    mov want(S_ESP), eax
    call random
    and eax, RANDOM_FLAGS | 0x200
    or eax, 2
    mov [load_flags], eax       ; other ones in the kernel
    load
    iretd
    ud2

after_iret:
    arrive "after IRET"
    jmp rounds.round

    %include "passage_singles.inc"

    section .rodata
text_separator: db ": ", 0
text_landed: db "landed", 10, 0
name_fs_tag: db "[FS:0]", 0
name_gs_tag: db "[GS:0]", 0
name_gs: db "GS", 0
name_fs: db "FS", 0
name_es: db "ES", 0
name_ds: db "DS", 0
name_ss: db "SS", 0
name_cs: db "CS", 0
name_edi: db "EDI", 0
name_esi: db "ESI", 0
name_ebp: db "EBP", 0
name_esp: db "ESP", 0
name_ebx: db "EBX", 0
name_edx: db "EDX", 0
name_ecx: db "ECX", 0
name_eax: db "EAX", 0
name_eflags: db "EFLAGS", 0
    align 4
item_names:
    dd name_gs_tag, name_fs_tag, name_gs, name_fs, name_es, name_ds, name_ss, name_cs, 0
    dd name_edi, name_esi, name_ebp, name_esp, name_ebx, name_edx, name_ecx, name_eax, name_eflags
; The user's four, then the kernel's.
pool_based: dw U_FS, U_GS, 0, U_FS, K_FS, K_GS, K_FS, K_GS
pool_tags: dd tag_u_fs, tag_u_gs, 0, tag_u_fs, tag_k_fs, tag_k_gs, tag_k_fs, tag_k_gs
pool_data: dw USER_DATA, U_DATA, 0, USER_DATA, K_DATA, KERNEL_DATA, K_DATA, KERNEL_DATA

    section .data
    align 4
tag_u_fs: dd 0x11110001
tag_u_gs: dd 0x22220002
tag_k_fs: dd 0x33330003
tag_k_gs: dd 0x44440004
tag_other: dd 0x55550005
seed: dd 1
loads: dd 0, 0, 0, 0            ; GS FS ES DS
load_flags: dd 0
segment_choice: dd 0
opens: dd 0
rounds_left: dd 0
interrupted_esp: dd 0
esp_before: dd 0
closed: dd 0
in_shadow: dd 0
landed: dd 0
    section .bss
    alignb 4096
wanted: resd S_COUNT
    alignb 4096
    resb 8192
sysenter_stack_top:
    resb 4096
other_stack_top:
    resb 8192                   ; user_stack_top + 0x1000 may lie here
    section .text
