; SPDX-License-Identifier: MIT
; Copyright (c) 2026 The RingOne authors
;
; Every kind of memory operand through every segment register, at, across and above the monitor's addresses, through flat
; 4 GiB segments: at CPL 0 and 3, without paging (no RAM there: reads find the open bus, writes are lost) and with pages
; of RAM there. The same instruction at an ordinary address says what registers, flags and memory must be afterwards.
    %include "guest.inc"
    %include "paging.inc"

REFERENCE equ 0x300000          ; where the model runs
SPAN equ 576                    ; bytes that are compared: FXSAVE's operand and what surrounds it
BEFORE equ 16                   ; of them below the operand

    section .text
guest_main:
    call at_both_levels
    mov eax, 7
    call enable_paging
    mov dword [behind], 1
    call at_both_levels
    jmp disable_paging

at_both_levels:
    call attacks
    enter_user
    call attacks
    leave_user
    ret

; Fills the model's memory, and the zone's where it is RAM, with what the operand finds.
op_fill:
    mov edi, REFERENCE - BEFORE
    mov ecx, SPAN / 4
    mov eax, [open_bus]
    cmp dword [behind], 0
    jne .random
    rep stosd
    ret
.random:
    mov edx, 0x12345678
    mov esi, [place]
    sub esi, BEFORE + 0xFF800000 - BEHIND
.next:
    imul edx, edx, 1664525
    add edx, 1013904223
    mov eax, edx
    and eax, 0x3FFFFFFF         ; as a floating-point number: small, and finite
    mov [edi], eax
    mov [esi], eax
    add edi, 4
    add esi, 4
    loop .next
    ret

op_registers:                   ; all but EBX, which points to the operand
    fninit
    mov ecx, 0x00000005
    mov edx, 0x00000003
    mov esi, 0x55AA1234
    mov edi, 0x00000011
    mov ebp, 0x22334455
    mov eax, [magic_value]
    movd xmm0, eax
    pshufd xmm0, xmm0, 0
    fldpi
    add al, 1                   ; flags
    dec al
    ret

op_keep:                        ; the model's results, without EBX and ESP
    pushfd
    pushad
    mov ecx, 8
    lea esi, [esp]
    mov edi, model_gpr
    rep movsd
    popad
    pop dword [model_eflags]
    ret

op_compare:                     ; EDX: name
    mov dword [differs], 0
    mov eax, [last_eax]
    cmp eax, [model_gpr + 28]
    jne .registers
    mov eax, [last_ecx]
    cmp eax, [model_gpr + 24]
    jne .registers
    mov eax, [last_edx]
    cmp eax, [model_gpr + 20]
    jne .registers
    mov eax, [last_ebp]
    cmp eax, [model_gpr + 8]
    jne .registers
    mov eax, [last_esi]
    cmp eax, [model_gpr + 4]
    jne .registers
    mov eax, [last_edi]
    cmp eax, [model_gpr]
    jne .registers
    mov eax, [last_eflags]
    xor eax, [model_eflags]
    test eax, 0x8D5
    jnz .registers
    cmp dword [behind], 0
    je .end
    mov esi, REFERENCE - BEFORE
    mov edi, [place]
    sub edi, BEFORE + 0xFF800000 - BEHIND
    mov ecx, SPAN
    repe cmpsb
    je .end
    lea eax, [esi - 1 - REFERENCE]
    mov [differs], eax
    push dword 0
    push eax
    push edx
    call check_same
    add esp, 12
    ret
.registers:
    push dword [model_gpr + 28]
    push dword [last_eax]
    push edx
    mov dword [esp + 4], 0x0BAD0BAD
    call check_same
    add esp, 12
    ret
.end:
    ret

; op "name", instruction: the instruction with its operand at [SEG:ebx]
%macro op 2+
    %push
    %defstr %$segment SEG
    %strcat %$text %1, " through ", %$segment
    call op_fill
    mov [model_esp], esp
    call op_registers
    mov ebx, REFERENCE
    %2
    call op_keep
    mov esp, [model_esp]        ; PUSH has moved it
    survive %$text
    call op_registers
    mov ebx, [place]
    %2
    done
    [section .rodata]
    %$again: db %$text, ", result", 0
    __?SECT?__
    mov edx, %$again
    call op_compare
    %pop
%endmacro

%macro ops_any_alignment 0
    op "mov m32, r", mov [SEG:ebx], eax
    op "mov m16, r", mov [SEG:ebx], ax
    op "mov m8, r", mov [SEG:ebx + 3], al
    op "mov m32, imm", mov dword [SEG:ebx], 0x5555AAAA
    op "mov r, m32", mov eax, [SEG:ebx]
    op "mov r, m16", mov cx, [SEG:ebx]
    op "mov r, m8", mov dl, [SEG:ebx + 3]
    op "mov r, m32 with index", mov eax, [SEG:ebx + ecx * 4 - 20]
    op "add m, r", add [SEG:ebx], eax
    op "adc r, m", adc edx, [SEG:ebx]
    op "sub m16, r", sub [SEG:ebx], cx
    op "xor m8, imm", xor byte [SEG:ebx], 0x5A
    op "cmp m, r", cmp [SEG:ebx], eax
    op "test m, r", test [SEG:ebx], eax
    op "inc m", inc dword [SEG:ebx]
    op "neg m", neg dword [SEG:ebx]
    op "not m", not dword [SEG:ebx]
    op "shl m", shl dword [SEG:ebx], 1
    op "rcr m", rcr dword [SEG:ebx], 1
    op "xchg m, r", xchg [SEG:ebx], eax
    op "lock xadd m, r", lock xadd [SEG:ebx], eax
    op "lock cmpxchg m, r", lock cmpxchg [SEG:ebx], edx
    op "cmpxchg8b", cmpxchg8b [SEG:ebx]
    op "bts m, r", bts [SEG:ebx], edi
    op "bt m, imm", bt dword [SEG:ebx], 7
    op "movzx", movzx edx, word [SEG:ebx]
    op "movsx", movsx edx, byte [SEG:ebx + 3]
    op "imul r, m, imm", imul ecx, [SEG:ebx], 3
    op "cmov, not taken", cmovz ecx, [SEG:ebx]
    op "cmov, taken", cmovnz ecx, [SEG:ebx]
    op "setcc m", setnz [SEG:ebx]
    op "movnti", movnti [SEG:ebx], eax
    op "push m", push dword [SEG:ebx]
    op "fld m32", fld dword [SEG:ebx]
    op "fst m64", fst qword [SEG:ebx]
    op "fstp m80", fstp tword [SEG:ebx]
    op "fist m32", fist dword [SEG:ebx]
    op "fnstcw", fnstcw [SEG:ebx]
    op "fldcw", fldcw [SEG:ebx]
    op "movups m, x", movups [SEG:ebx], xmm0
    op "movd m, x", movd [SEG:ebx], xmm0
    op "movq m, x", movq [SEG:ebx], xmm0
    op "stmxcsr", stmxcsr [SEG:ebx]
%endmacro

%macro ops_aligned 0
    op "movaps m, x", movaps [SEG:ebx], xmm0
    op "movaps x, m", movaps xmm1, [SEG:ebx]
    op "addps x, m", addps xmm0, [SEG:ebx]
    op "pxor x, m", pxor xmm0, [SEG:ebx]
%endmacro

; The operand's own writes to the code segment fault, at any address (SDM Vol. 3 section 5.5.1: code is never writable).
%macro code_segment_ops 0
    op "mov r, m32", mov eax, [SEG:ebx]
    op "add r, m", add eax, [SEG:ebx]
    op "push m", push dword [SEG:ebx]
    op "fld m64", fld qword [SEG:ebx]
    op "movups x, m", movups xmm1, [SEG:ebx]
    cmp byte [on_qemu], 0       ; TCG does not look at a segment's type
    jne %%end
    attempt "mov m, r through cs", GP, 0
    mov ebx, [place]
    mov eax, [magic_value]
    at
    mov [cs:ebx], eax
    done
    attempt "inc m through cs", GP, 0
    mov ebx, [place]
    at
    inc dword [cs:ebx]
    done
%%end:
%endmacro

%macro at_places 2              ; table, routine
    mov dword [next_place], %1
%%next:
    mov esi, [next_place]
    mov eax, [esi]
    test eax, eax
    jz %%end
    add dword [next_place], 4
    mov [place], eax
    cmp eax, 0xFFFC0000 - SPAN  ; QEMU has its BIOS from there on, where there is no paging
    jb %%call
    cmp byte [on_qemu], 0
    je %%call
    cmp dword [behind], 0
    je %%next
%%call:
    call %2
    jmp %%next
%%end:
%endmacro

attacks:
    at_places unaligned_places, any_alignment
    at_places aligned_places, any_alignment
    at_places aligned_places, aligned
    ret

any_alignment:
    %define SEG ds
    ops_any_alignment
    %define SEG es
    ops_any_alignment
    %define SEG ss
    ops_any_alignment
    %define SEG fs
    ops_any_alignment
    %define SEG gs
    ops_any_alignment
    %define SEG cs
    code_segment_ops
    ret

aligned:
    %define SEG ds
    ops_aligned
    %define SEG es
    ops_aligned
    %define SEG ss
    ops_aligned
    %define SEG fs
    ops_aligned
    %define SEG gs
    ops_aligned
    ret

    section .data
    align 4
behind: dd 0                    ; is there RAM at the zone's addresses?
place: dd 0
next_place: dd 0
differs: dd 0
model_gpr: times 8 dd 0
model_eflags: dd 0
model_esp: dd 0
; The GS area, the exit gate and the translation cache of the process world lie among these.
unaligned_places: dd ZONE - 1, ZONE - 2, ZONE - 3, ZONE - 7, ZONE + 0x3FFE, 0
aligned_places: dd ZONE - 16, ZONE, ZONE + 0x440, ZONE + 0x20440, ZONE + 0x40440, ZONE + 0x41000, ZONE + 0x42000
    dd ZONE + 0x100000, ZONE + 0x3E0000, 0xFFFF0000, 0xFFFFF000, 0
