; SPDX-License-Identifier: MIT
; Copyright (c) 2026 The RingOne authors
;
; What single operations of a kernel cost, in TSC cycles: a guest without an operating system, the same image for every
; peer. The word "quick" of the command line makes it a short run. Prints lines of the payload's form, "item NAME GROUP
; OPERATIONS CHECKSUM SAMPLE..." in hexadecimal; the checksum is what the item counted or computed, the same wherever
; it runs.
;
;   item name, "group", operations, [prepare]   begins the code of an item, called at CPL 0. It returns its checksum in EAX;
;                                               all registers but ESP are its own. `prepare` is called before each sample
;                                               and not timed.
;   repeat_begin rounds / repeat_end            a loop over EBP
    %include "frame.inc"

SAMPLES equ 9
QUICK_SAMPLES equ 3

%macro item 3-4 0
    %defstr %%word %1
    align 16
item_%1:
    [section .rodata]
    %%name: db "item ", %%word, " ", %2, 0
    [section .items progbits alloc noexec nowrite align=4]
    dd %%name, %3, item_%1, %4
    __?SECT?__
%endmacro

%macro repeat_begin 1
    %push
    mov ebp, %1
    align 16
    %$again:
%endmacro

%macro repeat_end 0
    dec ebp
    jnz %$again
    %pop
%endmacro

ITEM_NAME equ 0
ITEM_OPERATIONS equ 4
ITEM_RUN equ 8
ITEM_PREPARE equ 12
ITEM_BYTES equ 16

    extern items, items_end

    section .text
measure_all:
    mov dword [samples], SAMPLES
    call is_quick
    jne .begin
    mov dword [samples], QUICK_SAMPLES
.begin:
    mov dword [current], items
.item:
    mov dword [sample], 0
.sample:
    mov edi, [current]
    mov eax, [edi + ITEM_PREPARE]
    test eax, eax
    jz .ready
    call eax
.ready:
    mov edi, [current]
    mov dword [count], 0
    lfence
    rdtsc
    mov [begin], eax
    call [edi + ITEM_RUN]
    mov [result], eax
    lfence
    rdtsc
    sub eax, [begin]
    mov ecx, [sample]
    mov [taken + ecx * 4], eax
    mov eax, [result]
    test ecx, ecx
    jnz .compare
    mov [checksum], eax
.compare:
    cmp eax, [checksum]
    jne .unstable
    mov eax, [sample]
    inc eax
    mov [sample], eax
    cmp eax, [samples]
    jb .sample

    mov edi, [current]
    mov esi, [edi + ITEM_NAME]
    call put
    mov eax, [edi + ITEM_OPERATIONS]
    call put_hex
    mov eax, [checksum]
    call put_hex
    xor edi, edi
.print:
    mov eax, [taken + edi * 4]
    call put_hex
    inc edi
    cmp edi, [samples]
    jb .print
    mov esi, text_newline
    call put
    add dword [current], ITEM_BYTES
    cmp dword [current], items_end
    jb .item
    mov esi, text_done
    jmp put
.unstable:
    mov edi, [current]
    mov esi, [edi + ITEM_NAME]
    call put
    mov esi, text_unstable
    call put
    mov eax, 1
    jmp exit

    section .rodata
text_newline: db 10, 0
text_unstable: db " unstable", 10, 0
text_done: db "done", 10, 0

    section .bss
current: resd 1
sample: resd 1
samples: resd 1                 ; an item
begin: resd 1
result: resd 1
checksum: resd 1
count: resd 1                   ; handlers count here
taken: resd SAMPLES

    section .text
    %include "control.inc"
    %include "privileged.inc"
    %include "user.inc"
    %include "memory.inc"
