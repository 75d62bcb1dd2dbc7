; SPDX-License-Identifier: MIT
; Copyright (c) 2026 The RingOne authors
;
; 16-bit code segments, with prefixes and with calls to and from 32-bit code; call gates of both sizes with parameters,
; conforming segments (SDM Vol. 3, 5.8 and chapter 21; the rules of each instruction: Vol. 2).
    %include "guest.inc"

BASE equ 0x310000               ; of the 16-bit segments
STACK_BASE equ 0x330000
CODE_16 equ FREE_SELECTOR
CODE_16_USER equ FREE_SELECTOR + 8 + 3
DATA_16 equ FREE_SELECTOR + 16 + 3
STACK_16 equ FREE_SELECTOR + 24 + 3
CONFORMING equ FREE_SELECTOR + 32
CONFORMING_USER equ FREE_SELECTOR + 40  ; DPL 3: not for CPL 0
GATE equ FREE_SELECTOR + 48 + 3 ; 32 bits, 3 parameters, to CPL 0
GATE_KERNEL equ FREE_SELECTOR + 56 ; the same with DPL 0
GATE_16 equ FREE_SELECTOR + 64 + 3 ; 16 bits, 2 parameters, to CPL 0
GATE_CONFORMING equ FREE_SELECTOR + 72 + 3
GATE_ABSENT equ FREE_SELECTOR + 80 + 3
GATE_TO_DATA equ FREE_SELECTOR + 88 + 3
GATE_MIXED equ FREE_SELECTOR + 96 + 3 ; 32 bits, to 16-bit code
INT_RETURN equ 0x60
ROUNDS equ 8

%macro set_gate 5               ; selector, target selector, target, access, parameters
    mov eax, %3
    movzx edx, ax
    or edx, (%2) << 16
    mov [gdt + ((%1) & ~7)], edx
    mov ax, ((%4) << 8) | (%5)
    mov [gdt + ((%1) & ~7) + 4], eax
%endmacro

    section .text
guest_main:
    set_descriptor CODE_16, BASE, 0xFFFF, 0x9B, 0
    set_descriptor CODE_16_USER, BASE, 0xFFFF, 0xFB, 0
    set_descriptor DATA_16, BASE, 0xFFFF, 0xF3, 0
    set_descriptor STACK_16, STACK_BASE, 0xFFFF, 0xF3, 0
    set_descriptor CONFORMING, 0, 0xFFFFF, 0x9F, 0xC
    set_descriptor CONFORMING_USER, 0, 0xFFFFF, 0xFF, 0xC
    set_gate GATE, KERNEL_CODE, takes_three, 0xEC, 3
    set_gate GATE_KERNEL, KERNEL_CODE, takes_three, 0x8C, 3
    set_gate GATE_16, CODE_16, takes_two - code_16, 0xE4, 2
    set_gate GATE_CONFORMING, CONFORMING, conforming, 0xEC, 3
    set_gate GATE_ABSENT, KERNEL_CODE, takes_three, 0x6C, 0
    set_gate GATE_TO_DATA, KERNEL_DATA, takes_three, 0xEC, 0
    set_gate GATE_MIXED, CODE_16, mixed - code_16, 0xEC, 1
    mov dword [hooks + INT_RETURN * 4], returns
    mov esi, code_16
    mov edi, BASE
    mov ecx, code_16.end - code_16
    rep movsb
    mov esi, tail_16
    mov edi, BASE + TAIL
    mov ecx, tail_16.end - tail_16
    rep movsb
    mov dword [round], ROUNDS
.round:
    mov dword [code_selector], CODE_16
    call everywhere
    call kernel_gates
    enter_user
    mov dword [code_selector], CODE_16_USER
    call everywhere
    call user_gates
    leave_user
    dec dword [round]
    jnz .round
    ret

returns:
    ret

; A routine of the 16-bit segment, called from here.
%macro runs_16 2                ; name, routine
    survive %1
    mov dword [far_pointer], %2 - code_16
    mov eax, [code_selector]
    mov [far_pointer + 4], ax
    mov eax, DATA_16
    mov es, eax
    mov eax, 0x0A0A0A0A
    mov ebx, 0x0B0B0B0B
    mov ecx, 0x0C0C0C0C
    mov edx, 0x0D0D0D0D
    mov esi, 0x51515151
    mov edi, 0xD1D1D1D1
    mov ebp, 0xB9B9B9B9
    call far [far_pointer]
    done
    mov eax, [expected_esp]
    same %1, [last_esp], eax
%endmacro

everywhere:
    runs_16 "16-bit registers and stack", registers
    same "16-bit: EAX", [last_eax], 5
    same "16-bit: ECX", [last_ecx], 0x00010000
    same "16-bit: EDX", [last_edx], 0x0D0D1234
    same "16-bit: EBX", [last_ebx], 0x0B0B2345
    same "16-bit: the pushed IP", [last_esi], 0x51510000 + registers.back - code_16
    same "16-bit: LEA with 32-bit addresses", [last_edi], 0x0001000A
    runs_16 "16-bit addresses", addresses
    same "16-bit addresses: what wraps", [last_eax], 0x0A0A7788
    same "16-bit addresses: LES", [last_edi], 0xD1D15566
    same "16-bit addresses: a word of 32-bit code's", [last_edx], 0x600DF00D
    same "16-bit addresses: XLAT", [last_ecx], 0x0C0C0C5A
    runs_16 "16-bit strings", strings
    same "16-bit strings: EDI", [last_edi], 0xD1D18010
    same "16-bit strings: ECX", [last_ecx], 0x0C0C0000
    same "16-bit strings: memory", [BASE + 0x800C], 0x43214321
    runs_16 "16-bit frames", frames
    same "16-bit frames: EAX", [last_eax], 0x0A0A1111
    same "16-bit frames: EBP", [last_ebp], 0xB9B9B9B9
    same "16-bit frames: EBX", [last_ebx], 0x0B0B0B0B
    runs_16 "16-bit branches", branches
    same "16-bit branches: EAX", [last_eax], 0x0A0A003F
    runs_16 "16-bit branches over 64 KiB", around
    same "16-bit branches over 64 KiB: EBX", [last_ebx], 0x0B0B0B0D
    runs_16 "16-bit returns", returns_16
    same "16-bit returns: EAX", [last_eax], 0x0A0A0007
    runs_16 "32-bit operands in 16-bit code", wide
    same "32-bit operands: EAX", [last_eax], 0x12345678
    same "32-bit operands: ECX", [last_ecx], 0x00012345
    same "32-bit operands: EDX", [last_edx], 0x11223344
    runs_16 "interrupts in 16-bit code", interrupts
    same "interrupts in 16-bit code: EAX", [last_eax], 0x0A0A0002

%macro faults_16 4              ; name, vector, error, routine
    attempt %1, %2, %3
    mov dword [expected_eip], %4.at - code_16
    mov dword [far_pointer], %4 - code_16
    mov eax, [code_selector]
    mov [far_pointer + 4], ax
    mov eax, DATA_16
    mov es, eax
    at                          ; (the label of attempts in 32-bit code)
    call far [far_pointer]
    done
    movzx ecx, word [last_cs]
    same %1, ecx, [code_selector]
%endmacro
    faults_16 "division in 16-bit code", DE, 0, divides
    faults_16 "#UD in 16-bit code", UD, 0, undefined
    cmp dword [on_qemu], 1      ; TCG checks no limit
    je .no_limits
    faults_16 "a word across 64 KiB", GP, 0, across
    faults_16 "a jump over the limit by 32 bits", GP, 0, leaps
    faults_16 "a call over the limit by 32 bits", GP, 0, calls_far
.no_limits:

    ; 16-bit operands in 32-bit code.
    survive "o16 far call and return"
    mov word [far_pointer], far_by_16 - code_16
    mov eax, [code_selector]
    mov [far_pointer + 2], ax
    mov ebp, esp
    push cs
    push dword .back_by_32
    o16 call far [far_pointer]
.back_by_32:
    mov eax, ebp
    sub eax, esp
    done
    same "o16 far call: ESP", [last_eax], 0
    same "o16 far call: it was there", [last_edx], 0x0D0D1616
    survive "o16 pushes and pops"
    mov ebp, esp
    mov eax, 0x12345678
    o16 pusha
    o16 popa
    o16 pushf
    o16 popf
    push ax
    push word [esp]
    pop ecx
    mov ebx, ebp
    sub ebx, esp
    mov edx, ebp
    o16 enter 6, 0
    o16 leave
    sub edx, ebp
    done
    same "o16 pushes: ECX", [last_ecx], 0x56785678
    same "o16 pushes: ESP", [last_ebx], 0
    same "o16 enter and leave: EBP", [last_edx], 0

    ; Conforming code keeps the CPL of who calls it.
    survive "call of conforming code"
    call CONFORMING:conforming_near
    done
    mov eax, [level]
    add eax, CONFORMING
    same "CPL in conforming code", [last_eax], eax
    survive "jump to conforming code and back"
    jmp CONFORMING:.there
.there:
    mov eax, cs
    mov ecx, KERNEL_CODE
    cmp dword [level], 0
    je .return
    mov ecx, USER_CODE
.return:
    push ecx
    push dword .again
    retf
.again:
    done
    mov eax, [level]
    add eax, CONFORMING
    same "CPL after a jump to conforming code", [last_eax], eax
    ret

conforming_near:
    mov eax, cs
    retf

; By gates at the same level: no other stack, no parameters copied.
kernel_gates:
    survive "call through a gate at CPL 0"
    mov ebp, esp
    push dword 0x33333333
    push dword 0x22222222
    push dword 0x11111111
    call GATE:0xDEADBEEF        ; the offset does not count
    sub ebp, esp
    done
    same "a gate at CPL 0: ESP", [last_ebp], 0
    same "a gate at CPL 0: parameters", [last_eax], 0x66666666
    same "a gate at CPL 0: CS", [last_ecx], KERNEL_CODE
    survive "jump through a gate at CPL 0"
    push dword 0x33333333
    push dword 0x22222222
    push dword 0x11111111
    push cs
    push dword .back
    jmp GATE_KERNEL:0
.back:
    done
    same "a jump through a gate", [last_eax], 0x66666666
    attempt "call of conforming code of a lower level", GP, CONFORMING_USER
    at
    call CONFORMING_USER:conforming_near
    done
    attempt "call of user code by the kernel", GP, USER_CODE & ~3
    at
    call USER_CODE:conforming_near
    done
    ret

user_gates:
    mov eax, 0x77
    mov ebp, esp
    survive "call through a gate by a user"
    mov ebp, esp
    push dword 0x33333333
    push dword 0x22222222
    push dword 0x11111111
    mov eax, USER_DATA
    mov es, eax
    call GATE:0xDEADBEEF
    mov ebx, es
    sub ebp, esp
    done
    same "a gate: ESP", [last_ebp], 0
    same "a gate: parameters", [last_eax], 0x66666666
    same "a gate: CS", [last_ecx], KERNEL_CODE
    same "a gate: the outer stack segment", [last_edx], USER_DATA
    same "a gate: the outer stack pointer", [outer_esp_wanted], [outer_esp]
    same "a gate: the kernel's data segment is gone", [last_ebx], 0
    survive "a gate to conforming code"
    call GATE_CONFORMING:0
    done
    same "a gate to conforming code: CS", [last_eax], CONFORMING + 3
    attempt "what conforming code may not", GP, 0
    mov dword [expected_eip], privileged
    at
    call CONFORMING:privileged
    done
    attempt "a gate of the kernel's", GP, GATE_KERNEL
    at
    call GATE_KERNEL:0
    done
    attempt "a jump through a gate to another level", GP, KERNEL_CODE
    at
    jmp GATE:0
    done
    attempt "a gate that is not present", NP, GATE_ABSENT & ~3
    at
    call GATE_ABSENT:0
    done
    attempt "a gate to data", GP, KERNEL_DATA
    at
    call GATE_TO_DATA:0
    done
    attempt "a return to a higher level", GP, KERNEL_CODE
    push dword KERNEL_CODE
    push dword takes_three
    at
    retf
    done

    ; 16-bit gates are for callers below 64 KiB: a user's 16-bit code on a 16-bit stack.
    survive "16-bit code calls a 16-bit gate"
    mov dword [far_pointer], calls_gate - code_16
    mov word [far_pointer + 4], CODE_16_USER
    mov [flat_esp], esp
    mov eax, STACK_16
    mov ss, eax
    mov esp, 0x8000
    call far [far_pointer]
    mov ecx, esp
    mov ebx, USER_DATA
    mov ss, ebx
    mov esp, [flat_esp]
    done
    same "a 16-bit gate: parameters", [last_eax], 0x6666
    same "a 16-bit gate: CS", [last_edx], CODE_16
    movzx ecx, word [last_ecx]
    same "a 16-bit gate: SP", ecx, 0x8000
    survive "a 32-bit gate to 16-bit code"
    mov ebp, esp
    push dword 0x12345678
    call GATE_MIXED:0
    sub ebp, esp
    done
    same "a 32-bit gate to 16-bit code: its parameter", [last_eax], 0x12345678
    same "a 32-bit gate to 16-bit code: ESP", [last_ebp], 0
    ret

; At CPL 0, of GATE. From CPL 3: SS and ESP of the caller lie above the parameters.
takes_three:
    mov eax, [esp + 8]
    add eax, [esp + 12]
    add eax, [esp + 16]
    mov ecx, cs
    mov edx, KERNEL_DATA
    mov es, edx
    cmp dword [level], 0
    je .same_level
    mov edx, [esp + 20]         ; ESP
    mov [outer_esp], edx
    lea edx, [ebp - 12]
    mov [outer_esp_wanted], edx
    movzx edx, word [esp + 24]
.same_level:
    retf 12

conforming:
    mov eax, cs
    retf

privileged:
    cli
    retf

    bits 16
code_16:
registers:
    mov ax, 0x1234
    mov bx, ax
    add bx, 0x1111
    push ax
    push bx
    pop cx
    pop dx
    mov eax, 0
    mov ecx, 0x00010005
.loop:
    inc eax
    loop .loop                  ; CX
    call .near
.back:
    lea edi, [ecx + eax * 2]
    o32 retf
.near:
    pop si
    push si
    ret

addresses:
    mov bx, 0xFFFF
    mov si, 2
    mov word [es:0x0001 + scratch - code_16], 0
    mov word [es:scratch - code_16 + 1], 0x7788
    mov bx, scratch - code_16 - 0x10
    mov si, 0xFFF1
    mov ax, [es:bx + si + 0x20] ; wraps
    mov dword [es:scratch - code_16 + 4], 0
    mov word [es:scratch - code_16 + 4], 0x5566
    mov word [es:scratch - code_16 + 6], DATA_16
    les di, [es:scratch - code_16 + 4]
    mov edx, [dword word_of_32]
    mov byte [es:scratch - code_16 + 0x2A], 0x5A
    push ax
    mov bx, scratch - code_16
    mov al, 0x2A
    es xlatb
    mov cl, al
    pop ax
    o32 retf

strings:
    mov ax, 0x4321
    mov di, 0x8000
    mov cx, 8
    rep stosw
    mov si, 0x8000
    mov di, 0x8000
    mov cx, 8
    es rep cmpsw
    jne .wrong
    o32 retf
.wrong:
    xor di, di
    o32 retf

frames:
    push ebp
    mov ebp, esp                ; LEAVE takes all of EBP: the stack is a 32-bit one
    enter 8, 2
    leave
    pop ebp
    push word 0x1111
    pusha
    xor ax, ax
    xor bx, bx
    popa
    pop ax
    pushf
    popf
    o32 retf

branches:
    xor ax, ax
    mov cx, 0
    jcxz .one
    o32 retf
.one:
    or ax, 1
    stc
    jc .two
    o32 retf
.two:
    or ax, 2
    mov bx, .three - code_16
    jmp bx
.three:
    or ax, 4
    mov word [es:scratch - code_16], .four - code_16
    jmp [es:scratch - code_16]
.four:
    or ax, 8
    mov word [es:scratch - code_16], .callee - code_16
    call [es:scratch - code_16]
    mov bx, .callee_2 - code_16
    call bx
    o32 retf
.callee:
    or ax, 16
    ret
.callee_2:
    or ax, 32
    ret

TAIL equ 0xFFF0
around:
    jmp near code_16 + TAIL - 0x10000 ; backward over 0
.land:
    inc bx
    o32 retf

returns_16:
    xor ax, ax
    push cs
    push word .far - code_16
    retf
.far:
    or ax, 1
    pushf
    push cs
    push word .iret - code_16
    iret
.iret:
    or ax, 2
    push cs
    call .callee
    push word 1
    call .pops
    o32 retf
.callee:
    or ax, 4
    retf
.pops:
    ret 2

wide:
    mov eax, 0x12345678
    push eax
    mov eax, 0
    call dword .callee
    pop eax
    mov ecx, 0x00010000
    add ecx, 0x2345
    pushad
    mov ecx, 0
    popad
    mov edx, 0x11223344
    o32 pushf
    o32 push cs
    push dword .iret - code_16
    o32 iret
.iret:
    o32 retf
.callee:
    o32 ret

interrupts:
    xor ax, ax
    int INT_RETURN
    inc ax
    int INT_RETURN
    inc ax
    o32 retf

divides:
    xor cx, cx
.at:
    div cx
undefined:
.at:
    ud2
across:
    mov bx, 0xFFFF
.at:
    mov ax, [es:bx]
leaps:
.at:
    jmp dword code_16 + 0x12345
calls_far:
.at:
    call dword code_16 + 0x12345

far_by_16:
    mov dx, 0x1616
    add esp, 4                  ; what was pushed by 16 bits cannot lead back
    o32 retf

calls_gate:
    push word 0x2222
    push word 0x4444
    call GATE_16:0
    o32 retf
takes_two:
    mov eax, 0
    mov ecx, esp
    mov ax, [ss:ecx + 4]
    add ax, [ss:ecx + 6]
    mov edx, 0
    mov dx, cs
    retf 4
mixed:
    mov eax, [ss:esp + 8]
    o32 retf 4
    align 16
scratch: times 64 db 0
.end:
code_16.end:
tail_16:
    inc bx
    jmp near tail_16 + 0x10000 - TAIL + around.land - code_16
.end:
    bits 32

    section .data
    align 4
round: dd 0
code_selector: dd 0
far_pointer: dd 0
    dw 0, 0
outer_esp: dd 0
outer_esp_wanted: dd 0
flat_esp: dd 0
word_of_32: dd 0x600DF00D
