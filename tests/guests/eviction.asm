; SPDX-License-Identifier: MIT
; Copyright (c) 2026 The RingOne authors
;
; More code than a translation cache holds: tens of thousands of functions, made at run time and made anew, that are called in
; order and at random, jump through each other in one long chain, and return into callers that have been evicted
; meanwhile. Each does arithmetic on EAX that the guest also does itself, from the numbers the functions were made of.
; Interrupts are on, should any come.
    %include "guest.inc"

TIMER equ 0x20
SLOTS equ 0x400000              ; one function each
SLOT_BYTES equ 32
COUNT equ 32768                 ; a power of two
STRIDE equ 4097                 ; of the chain: odd, so that it goes through all
CALLERS equ 0x700000            ; functions that call `deeper`
DEPTH equ 48
AT_EACH_DEPTH equ 1500
RANDOM_CALLS equ 40000

    section .text
guest_main:
    mov al, 0xFF
    out 0x21, al
    out 0xA1, al
    mov dword [hooks + TIMER * 4], timer
    sti
    mov dword [seed], 0x12345678
    call make
    call in_order
    call at_random
    call recursion
    call again                  ; every other function anew
    call in_order
    call at_random
    mov dword [seed], 0x9E3779B9
    mov dword [chained], 1
    call make
    call chain
    call chain
    mov dword [chained], 0
    mov dword [seed], 0xCAFE1234
    call make
    call recursion
    cli
    ret

timer:
    mov al, 0x20
    out 0x20, al
    inc dword [interrupts]
    ret

; EBX: function. EDX, ECX: what it adds and what it XORs.
numbers:
    mov edx, [generation + ebx * 4]
    imul edx, edx, 0x85EBCA6B
    lea ecx, [ebx + 1]
    imul ecx, ecx, 0x9E3779B1
    add edx, ecx
    add edx, [seed]
    mov ecx, edx
    ror ecx, 13
    xor ecx, [seed]
    ret

; EBX: function. EAX: as the function leaves it.
model:
    push ecx
    push edx
    call numbers
    add eax, edx
    xor eax, ecx
    mov ecx, ebx
    rol eax, cl
    test al, 1
    jz .even
    add eax, 7
.even:
    pop edx
    pop ecx
    ret

; EBX: function. Writes it.
make_one:
    push ebx
    mov edi, ebx
    shl edi, 5
    add edi, SLOTS
    call numbers
    mov byte [edi], 0x05        ; ADD EAX, imm32
    mov [edi + 1], edx
    mov byte [edi + 5], 0x35    ; XOR EAX, imm32
    mov [edi + 6], ecx
    mov word [edi + 10], 0xC0C1 ; ROL EAX, imm8
    mov ecx, ebx
    and ecx, 31
    mov [edi + 12], cl
    mov dword [edi + 13], 0x037401A8 ; TEST AL, 1; JZ over
    mov word [edi + 17], 0xC083 ; ADD EAX, 7
    mov byte [edi + 19], 7
    mov byte [edi + 20], 0xC3   ; RET
    cmp dword [chained], 0
    je .end
    add ebx, STRIDE
    and ebx, COUNT - 1
    jz .end                     ; back at the first: the chain's last one returns
    shl ebx, 5
    add ebx, SLOTS - 25
    sub ebx, edi
    mov byte [edi + 20], 0xE9   ; JMP to the next
    mov [edi + 21], ebx
.end:
    pop ebx
    ret

make:
    xor ebx, ebx
.next:
    call make_one
    inc ebx
    cmp ebx, COUNT
    jb .next
    ret

again:
    xor ebx, ebx
.next:
    inc dword [generation + ebx * 4]
    call make_one
    add ebx, 2
    cmp ebx, COUNT
    jb .next
    ret

; EBX: function. EAX: what it makes of EAX.
%macro call_function 0
    mov edi, ebx
    shl edi, 5
    add edi, SLOTS
    call edi
%endmacro

in_order:
    xor ebx, ebx
    mov eax, 1
    mov esi, eax
.next:
    call_function
    xchg eax, esi
    call model
    xchg eax, esi
    inc ebx
    cmp ebx, COUNT
    jb .next
    same "functions in order", eax, esi
    ret

at_random:
    mov ebp, 0x2545F491
    mov dword [left], RANDOM_CALLS
    mov eax, 2
    mov esi, eax
.next:
    imul ebp, ebp, 1664525
    add ebp, 1013904223
    mov ebx, ebp
    shr ebx, 17
    call_function
    xchg eax, esi
    call model
    xchg eax, esi
    dec dword [left]
    jnz .next
    same "functions at random", eax, esi
    ret

chain:
    xor ebx, ebx
    mov eax, 3
.next:
    call model
    add ebx, STRIDE
    and ebx, COUNT - 1
    jnz .next
    mov esi, eax
    mov eax, 3
    mov edi, SLOTS
    call edi
    same "a chain of functions", eax, esi
    ret

; Each depth calls functions, then the next depth by a generated caller, which adds its depth when it is returned to.
recursion:
    mov edi, CALLERS            ; CALL deeper; ADD EAX, imm32; RET
    mov ecx, DEPTH
.caller:
    mov byte [edi], 0xE8
    mov eax, deeper - 5
    sub eax, edi
    mov [edi + 1], eax
    mov byte [edi + 5], 0x05
    mov [edi + 6], ecx
    mov byte [edi + 10], 0xC3
    add edi, SLOT_BYTES
    loop .caller
    xor ebx, ebx
    mov dword [depth], 0
    mov eax, 4
    mov esi, eax
    call deeper
    add esi, DEPTH * (DEPTH + 1) / 2
    same "returns into what was evicted", eax, esi
    ret

deeper:
    mov ecx, AT_EACH_DEPTH
.next:
    call_function
    xchg eax, esi
    call model
    xchg eax, esi
    inc ebx
    and ebx, COUNT - 1
    loop .next
    mov edi, [depth]
    cmp edi, DEPTH
    jae .end
    inc dword [depth]
    shl edi, 5
    add edi, CALLERS
    call edi
.end:
    ret

    section .data
    align 4
seed: dd 0
chained: dd 0
left: dd 0
depth: dd 0
interrupts: dd 0
    section .bss
    alignb 4
generation: resd COUNT
