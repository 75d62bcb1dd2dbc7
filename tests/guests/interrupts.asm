; SPDX-License-Identifier: MIT
; Copyright (c) 2026 The RingOne authors
;
; Asynchronous interrupts. One piece of code full of short sequences that a translator may inline runs first under TF,
; which records where instructions begin, then under timer interrupts. Each interrupt must come at such a place, with IF
; set, not in the shadow of STI or MOV SS (SDM Vol. 3, 6.8.1 and 6.8.3), and change no result.
    %include "guest.inc"

TIMER equ 0x20                  ; IRQ 0 behind the first 8259
WANTED_INTERRUPTS equ 1000
ITERATIONS equ 12
OTHER_DATA equ FREE_SELECTOR    ; data with another base
OTHER_BASE equ 0x1000
THIRD_DATA equ FREE_SELECTOR + 8
THIRD_BASE equ 0x2000

    section .text
guest_main:
    set_descriptor OTHER_DATA, OTHER_BASE, 0xFFFFF, 0x93, 0xC
    set_descriptor THIRD_DATA, THIRD_BASE, 0xFFFFF, 0x93, 0xC
    mov dword [hooks + TIMER * 4], timer
    mov dword [hooks + DB_ * 4], stepped
    call work                   ; IF 0 but for what it sets itself; no device is on yet
    mov [reference], eax
    pushfd
    or dword [esp], 0x100       ; TF
    popfd
    call work
    pushfd
    and dword [esp], ~0x100
    popfd
    same "under TF", eax, [reference]
    mov eax, [starts]
    cmp eax, ITERATIONS * 60
    sbb eax, eax
    same "enough steps", eax, 0
    xor esi, esi                ; each instruction of the loop has trapped in each of its runs
    mov ebx, work.iteration - work
.count:
    mov eax, [steps_at + ebx * 4]
    xor edx, edx
    mov ecx, ITERATIONS
    div ecx
    add esi, edx
    inc ebx
    cmp ebx, work.loop_end - work
    jb .count
    same "lost steps", esi, 0
    bt dword [boundaries], 0    ; the first instruction is not stepped to by a trap in `work`: it is by CALL
    sbb eax, eax
    same "the first boundary", eax, -1
    mov eax, work.after_ss - work
    bt [boundaries], eax
    sbb eax, eax
    same "no trap in the shadow of MOV SS", eax, 0
    cmp dword [on_qemu], 1      ; TCG defers the trap as well: it is only interrupts that STI defers
    je .start
    mov eax, work.after_sti - work
    bt [boundaries], eax
    sbb eax, eax
    same "a trap after STI", eax, -1
.start:
    mov dword [checking], 1
    call start_timer
.again:
    sti
    call work
    cli
    cmp eax, [reference]
    je .right
    same "under interrupts", eax, [reference]
    ret
.right:
    cmp dword [interrupts], WANTED_INTERRUPTS
    jb .again
    mov al, 0xFF
    out 0x21, al
    same "interrupts with IF 0", [closed], 0
    same "interrupts inside instructions", [astray], 0
    same "where the last one came", [astray_eip], 0
    same "interrupts after STI", [in_shadow], 0
    mov eax, [inside]
    cmp eax, WANTED_INTERRUPTS / 2
    sbb eax, eax
    same "interrupts in the code under test", eax, 0
    ret

start_timer:                    ; 8259 at vector 0x20, IRQ 0 only; 8254 counter 0, mode 2, 1 kHz
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
    mov al, 1193 & 0xFF
    out 0x40, al
    mov al, 1193 >> 8
    out 0x40, al
    ret

; EBP: the frame.
timer:
    mov al, 0x20
    out 0x20, al
    inc dword [interrupts]
    test dword [ebp + FRAME_EFLAGS], 0x200
    jnz .open
    inc dword [closed]
.open:
    mov eax, [ebp + FRAME_EIP]
    cmp eax, work.after_sti
    jne .no_shadow
    cmp dword [checking], 0     ; under TF the #DB handler's IRET has ended the shadow
    je .no_shadow
    inc dword [in_shadow]
.no_shadow:
    sub eax, work
    cmp eax, work.end - work
    jae .out
    inc dword [inside]
    bt [boundaries], eax
    jc .out
    cmp dword [checking], 0
    je .out                     ; the boundaries are not known yet
    inc dword [astray]
    mov eax, [ebp + FRAME_EIP]
    mov [astray_eip], eax
.out:
    ret

stepped:
    mov eax, [ebp + FRAME_EIP]
    sub eax, work
    cmp eax, work.end - work
    jae .out
    inc dword [starts]
    bts [boundaries], eax
    inc dword [steps_at + eax * 4]
.out:
    xor eax, eax
    mov dr6, eax                ; its bits are sticky
    ret

; EAX: a checksum of all it did. IF as it was.
work:
    push ebx
    push esi
    push edi
    push ebp
    mov edi, work_buffer
    xor eax, eax
    mov ecx, 8
    rep stosd
    mov [work_cell], eax
    mov ecx, ITERATIONS
    mov esi, 0x12345678
.iteration:
    push esi
    pop eax
    rol eax, 5
    lea esi, [esi + eax + 1]
    call .callee
    call [work_pointer]
    push dword 3
    call .pops
    mov ebx, .landing
    jmp ebx
    ud2
.landing:
    cmp esi, eax                ; flags live across what follows
    pushfd
    pop edx
    and edx, 0x8D5
    add esi, edx
    pushfd
    cli
    rol esi, 3
    pushfd
    pop edx
    and edx, 0xAD5              ; IF 0
    xor esi, edx
    sti
.after_sti:
    lea esi, [esi + 1]
    pushfd
    pop edx
    and edx, 0xAD5              ; IF 1
    add esi, edx
    popfd
    setc al
    movzx eax, al
    add esi, eax
    push es
    pop es
    mov eax, OTHER_DATA
    mov es, eax
    mov fs, eax
    mov edx, THIRD_DATA
    mov gs, edx
    add esi, [es:work_numbers - OTHER_BASE]
    add esi, [fs:work_numbers + 4 - OTHER_BASE]
    rol esi, 3
    add esi, [gs:work_numbers + 8 - THIRD_BASE]
    push edx
    pop es
    push es
    pop fs
    push eax
    pop gs
    add esi, [es:work_numbers + 12 - THIRD_BASE]
    add esi, [fs:work_numbers - THIRD_BASE]
    rol esi, 3
    add esi, [gs:work_numbers + 4 - OTHER_BASE]
    push ds
    mov ds, eax
    add esi, [work_numbers + 8 - OTHER_BASE]
    mov ds, edx
    add esi, [work_numbers - THIRD_BASE]
    pop ds
    add esi, [work_numbers + 4]
    mov edi, gs
    add esi, edi
    push fs
    pop edi
    add esi, edi
    mov eax, ds
    mov fs, eax
    mov gs, eax
    mov es, eax
    mov eax, [gs:work_pointer]
    mov [gs:work_cell], esi
    add esi, [cs:work_cell]
    mov eax, ss
    mov ss, eax
.after_ss:
    lea esi, [esi + 3]
    add esi, 7
    push ss
    pop ss
.after_pop_ss:
    rol esi, 1
    enter 16, 2
    mov [ebp - 8], esi
    leave
    pushad
    popad
    xchg esi, edx
    lock xadd [work_cell], edx
    xchg edx, esi
    lahf
    sahf
    adc esi, 0
    push esi
    push dword [esp]
    pop dword [work_cell]
    add esp, 4
    pushfd
    push cs
    push dword .back
    iretd
    ud2
.back:
    push cs
    push dword .far
    retf
    ud2
.far:
    push ecx
    push esi
    std
    mov edi, work_buffer + 28
    lea esi, [edi - 4]
    mov ecx, 7
    rep movsd
    cld
    pop esi
    mov edi, work_buffer
    mov [edi], esi
    mov eax, esi
    mov ecx, 8
    repne scasd
    pop ecx
    add esi, [work_buffer + 16]
    str eax
    add esi, eax
    smsw eax
    sgdt [work_cell]
    add esi, [work_cell + 2]
    xor eax, eax
    mov dword [work_cell], 0
    dec ecx
    jnz .iteration
.loop_end:
    mov eax, esi
    pop ebp
    pop edi
    pop esi
    pop ebx
    ret
.callee:
    rol esi, 7
    ret
.pops:
    add esi, [esp + 4]
    ret 4
.end:

    section .data
    align 4
work_pointer: dd work.callee
work_cell: dd 0, 0
work_numbers: dd 0x11223344, 0x55667788, 0x99AABBCC, 0xDDEEFF00
reference: dd 0
starts: dd 0
interrupts: dd 0
closed: dd 0
astray: dd 0
in_shadow: dd 0
inside: dd 0
checking: dd 0
astray_eip: dd 0
    section .bss
    alignb 4
work_buffer: resd 16
boundaries: resd 64
steps_at: resd work.end - work
    section .text
