; SPDX-License-Identifier: MIT
; Copyright (c) 2026 The RingOne authors
;
; Limits, types and wrap-around of segments (SDM Vol. 3, 5.3 to 5.5): data and string instructions through segments with a
; limit, through expand-down ones, read-only ones and none; strings over the borders of segments, of the zone and of the
; address space.
    %include "guest.inc"
    %include "registers.inc"
    %include "paging.inc"

BASE equ 0x300000               ; of all these segments
LIMITED equ FREE_SELECTOR + 3   ; limit 0xFFF
DOWN equ FREE_SELECTOR + 8 + 3  ; expand-down, 0x1000 to 4 GiB
DOWN_16 equ FREE_SELECTOR + 16 + 3 ; expand-down, 0x1000 to 0xFFFF
CONSTANT equ FREE_SELECTOR + 24 + 3 ; read-only
SHORT_64K equ FREE_SELECTOR + 32 + 3 ; limit 0xFFFF
PAGED equ FREE_SELECTOR + 40 + 3 ; limit 0x3000 pages: 48 MiB
DOWN_FLAT equ FREE_SELECTOR + 48 + 3 ; expand-down from base 0: from 0x400000 on
ROUNDS equ 12

    section .text
guest_main:
    set_descriptor LIMITED, BASE, 0xFFF, 0xF3, 0x4
    set_descriptor DOWN, BASE, 0xFFF, 0xF7, 0x4
    set_descriptor DOWN_16, BASE, 0xFFF, 0xF7, 0
    set_descriptor CONSTANT, BASE, 0xFFFFF, 0xF1, 0xC
    set_descriptor SHORT_64K, BASE, 0xFFFF, 0xF3, 0x4
    set_descriptor PAGED, BASE, 0x2FFF, 0xF3, 0xC
    set_descriptor DOWN_FLAT, 0, 0x3FF, 0xF7, 0xC
    call at_both_levels
    mov eax, 7
    call enable_paging
    mov dword [paged], 1
    call at_both_levels
    jmp disable_paging

at_both_levels:
    call everywhere
    enter_user
    call everywhere
    leave_user
    ret

everywhere:
    mov dword [round], ROUNDS
.round:
    cmp dword [on_qemu], 1      ; TCG checks no limit
    je .no_limits
    call limits
    call string_limits
.no_limits:
    call within
    call wrapping_strings
    dec dword [round]
    jnz .round
    call zone_strings
    ret

; One instruction with its operand at [SEG:ebx], as code and as the end of a name.
%macro limit_ops 4              ; segment register, vector, selector, "where"
    %push
    %defstr %$r %1
    %strcat %$n " through ", %$r, " ", %4
    limit_op "mov r, m", %2, %3, %$n, mov eax, [%1:ebx]
    limit_op "mov m, r", %2, %3, %$n, mov [%1:ebx], eax
    limit_op "add m, r", %2, %3, %$n, add [%1:ebx], eax
    limit_op "lock xadd", %2, %3, %$n, lock xadd [%1:ebx], eax
    limit_op "push m", %2, %3, %$n, push dword [%1:ebx]
    limit_op "pop m", %2, %3, %$n, pop dword [%1:ebx]
    limit_op "bts m, imm", %2, %3, %$n, bts dword [%1:ebx], 1
    limit_op "fld m32", %2, %3, %$n, fld dword [%1:ebx]
    limit_op "fst m64", %2, %3, %$n, fst qword [%1:ebx]
    limit_op "movups x, m", %2, %3, %$n, movups xmm0, [%1:ebx]
    limit_op "movups m, x", %2, %3, %$n, movups [%1:ebx], xmm0
    limit_op "call m", %2, %3, %$n, call [%1:ebx]
    limit_op "jmp m", %2, %3, %$n, jmp [%1:ebx]
    limit_op "les", %2, %3, %$n, les eax, [%1:ebx]
    limit_op "sgdt", %2, %3, %$n, sgdt [%1:ebx]
    limit_op "cmpxchg8b", %2, %3, %$n, cmpxchg8b [%1:ebx]
    %pop
%endmacro

%macro limit_op 5+              ; name, vector, selector, "where", instruction
    %push
    %strcat %$name %1, %4
    attempt %$name, %2, 0
    mov [esp_wanted], esp
    call load_%3
    call known_registers
    at
    %5
    done
    check_unchanged_as %$name
    %pop
%endmacro

; Each segment in all registers but CS and SS.
%macro loader 1
load_%1:
    mov eax, %1
    mov es, eax
    mov fs, eax
    mov gs, eax
    ret
%endmacro
    loader LIMITED
    loader DOWN
    loader DOWN_16
    loader CONSTANT
    loader SHORT_64K
    loader DOWN_FLAT
    loader 0

%macro outside 3                ; selector, offset, "where"
    mov dword [place], %2
    limit_ops es, GP, %1, %3
    limit_ops fs, GP, %1, %3
    limit_ops gs, GP, %1, %3
%endmacro

limits:
    fninit
    outside LIMITED, 0x1000, "behind the limit"
    outside LIMITED, 0xFFD, "across the limit"
    outside LIMITED, 0xFFFFFFFE, "across the end of offsets"
    outside LIMITED, ZONE - BASE + 0x1000, "in the zone"
    outside DOWN, 0xFFF, "below an expand-down segment"
    outside DOWN, 0, "far below an expand-down segment"
    outside DOWN_16, 0xFFE, "below a short expand-down segment"
    outside DOWN_16, 0xFFFD, "across the top of a short expand-down segment"
    outside DOWN_16, 0x10000, "above a short expand-down segment"
    outside DOWN_FLAT, 0x3FFFFE, "below a flat expand-down segment"
    outside 0, 0x1000, "with a null selector"
    outside 0, ZONE, "with a null selector in the zone"
    ret

; At EBX through ES, which is at EDX through DS: what is written by one is read by the other.
%macro inside 4                 ; selector, offset, linear address, "name"
    survive %4
    call load_%1
    mov ebx, %2
    mov edx, %3
    mov ecx, [round]
    mov [es:ebx], ecx
    cmp [edx], ecx
    jne %%wrong
    add dword [fs:ebx], 5
    add ecx, 5
    cmp [edx], ecx
    jne %%wrong
    xor [gs:ebx], ecx
    cmp dword [edx], 0
    jne %%wrong
    push ecx
    pop dword [es:ebx]
    push dword [fs:ebx]
    pop eax
    cmp eax, ecx
    jne %%wrong
    movd xmm0, ecx
    pshufd xmm0, xmm0, 0
    movups [edx - 12], xmm0
    add dword [edx], 1
    mov eax, [gs:ebx]
    sub eax, 1
    cmp eax, ecx
    jne %%wrong
    lock xadd [es:ebx], eax
    cmp eax, [edx - 4]
    ja %%right
%%wrong:
    int3                        ; not what `survive` wants
%%right:
    done
%endmacro

within:
    inside LIMITED, 0xFFC, BASE + 0xFFC, "the end of a segment"
    inside DOWN, 0x1000, BASE + 0x1000, "the lowest of an expand-down segment"
    inside DOWN, 0x10000, BASE + 0x10000, "the middle of an expand-down segment"
    inside DOWN, 0xFFFFFFFC, BASE - 4, "the highest of an expand-down segment, which wraps"
    inside DOWN_16, 0x1000, BASE + 0x1000, "the lowest of a short expand-down segment"
    inside DOWN_16, 0xFFFC, BASE + 0xFFFC, "the highest of a short expand-down segment"
    inside DOWN_FLAT, 0x400000, 0x400000, "the lowest of a flat expand-down segment"
    cmp dword [paged], 0
    je .end
    inside DOWN_FLAT, ZONE - 8, alias(ZONE - 8), "below the zone in a flat expand-down segment"
    inside DOWN_FLAT, ZONE - 2, alias(ZONE - 2), "across the zone's border in a flat expand-down segment"
    inside DOWN_FLAT, ZONE + 0x1000, alias(ZONE + 0x1000), "the zone in a flat expand-down segment"
    inside DOWN, ZONE + 0x2000 - BASE, alias(ZONE + 0x2000), "the zone in an expand-down segment"
.end:
    cmp dword [on_qemu], 1      ; TCG checks no type
    je .no_types
    attempt "mov m, r into a read-only segment", GP, 0
    call load_CONSTANT
    mov ebx, 0x100
    mov eax, [fs:ebx]
    at
    mov [fs:ebx], eax
    done
    attempt "rep stosd into a read-only segment", GP, 0
    call load_CONSTANT
    mov edi, 0x100
    mov ecx, 4
    at
    rep stosd
    done
    same "rep stosd into a read-only segment", [last_ecx], 4
    attempt "xchg with a read-only segment", GP, 0
    call load_CONSTANT
    mov ebx, 0x100
    at
    xchg [gs:ebx], eax
    done
.no_types:
    ret

; String instructions that run over a segment's limit, up or down.
%macro string_stops 8+          ; name, selector, direction, ESI, EDI, element size, elements done, instruction
    attempt %1, GP, 0
    call load_%2
    mov esi, %4
    mov edi, %5
    mov ecx, 20
    mov eax, 0x05050505
    %3
    at
    %8
    done
    same %1, [last_ecx], 20 - %7
    cmp dword [last_esi], %4 + %6 * %7
    je %%moved
    same %1, [last_edi], %5 + %6 * %7
%%moved:
    cmp dword [last_edi], %5 + %6 * %7
    je %%moved_too
    same %1, [last_esi], %4 + %6 * %7
%%moved_too:
%endmacro

string_limits:
    mov edi, BASE
    mov ecx, 0x5000
    mov eax, 0x05050505
    rep stosd
    string_stops "rep stosd over a limit", LIMITED, cld, 0, 0xFF0, 4, 4, rep stosd
    string_stops "rep stosd across a limit", LIMITED, cld, 0, 0xFF2, 4, 3, rep stosd
    string_stops "rep stosw across a limit", LIMITED, cld, 0, 0xFF9, 2, 3, rep stosw
    string_stops "rep stosb over a limit", LIMITED, cld, 0, 0xFF9, 1, 7, rep stosb
    string_stops "rep stosd below 0", LIMITED, std, 0, 8, -4, 3, rep stosd
    string_stops "rep stosd across 0", LIMITED, std, 0, 6, -4, 2, rep stosd
    string_stops "rep movsd to a limit", LIMITED, cld, BASE, 0xFF0, 4, 4, rep movsd
    string_stops "rep movsb to a limit", LIMITED, cld, BASE, 0xFFB, 1, 5, rep movsb
    string_stops "rep movsd from a limit", LIMITED, cld, 0xFF4, 0, 4, 3, fs rep movsd
    string_stops "rep movsw down from 0", LIMITED, std, 4, 0x800, -2, 3, gs rep movsw
    string_stops "rep lodsd over a limit", LIMITED, cld, 0xFF8, 0, 4, 2, es rep lodsd
    string_stops "rep lodsb through FS", LIMITED, cld, 0xFF8, 0, 1, 8, fs rep lodsb
    string_stops "repe scasd over a limit", LIMITED, cld, 0, 0xFF4, 4, 3, repe scasd
    string_stops "repe cmpsd over a limit", LIMITED, cld, BASE, 0xFF8, 4, 2, repe cmpsd
    string_stops "rep stosd down to the lower end", DOWN, std, 0, 0x100C, -4, 4, rep stosd
    string_stops "rep stosd across the lower end", DOWN, std, 0, 0x100A, -4, 3, rep stosd
    string_stops "rep stosd over a short segment's top", DOWN_16, cld, 0, 0xFFF8, 4, 2, rep stosd
    string_stops "rep movsb through a short segment", DOWN_16, std, BASE + 0x100, 0x1003, -1, 4, rep movsb
    string_stops "rep stosw with a null selector", 0, cld, 0, 0x1000, 2, 0, rep stosw
    ; With 16-bit addresses it is DI that wraps: no end within 64 KiB, but for a word across it.
    string_stops "a16 rep stosw across 64 KiB", SHORT_64K, cld, 0, 0xFFFB, 2, 2, a16 rep stosw
    ret

%macro wraps 6+                 ; name, ESI, EDI, ECX, expected EDI, instruction
    survive %1
    mov esi, %2
    mov edi, %3
    mov ecx, %4
    mov eax, 0x31323334
    %6
    done
    same %1, [last_edi], %5
    same %1, [last_ecx], 0
%endmacro

wrapping_strings:
    survive "a16 rep stosb wraps at 64 KiB"
    call load_SHORT_64K
    mov dword [BASE], 0
    mov dword [BASE + 0xFFFC], 0
    mov edi, 0x1234FFFE
    mov ecx, 0x56780004
    mov eax, 0x77
    a16 rep stosb
    done
    same "a16 rep stosb: EDI", [last_edi], 0x12340002
    same "a16 rep stosb: ECX", [last_ecx], 0x56780000
    same "a16 rep stosb before the end", [BASE + 0xFFFC], 0x77770000
    same "a16 rep stosb from the beginning", [BASE], 0x00007777
    survive "a16 rep movsw wraps down"
    call load_SHORT_64K
    mov dword [BASE], 0x44443333
    mov dword [BASE + 0xFFFC], 0x22221111
    mov esi, 0xABCD0002
    mov edi, 0x8000
    mov ecx, 4
    std
    fs a16 rep movsw
    done
    same "a16 rep movsw: ESI", [last_esi], 0xABCDFFFA
    same "a16 rep movsw, upper", [BASE + 0x7FFE + 0], 0x44443333
    same "a16 rep movsw, lower", [BASE + 0x7FFA], 0x22221111

    ; 4 GiB: in flat segments offsets go on at 0. Without paging there is no RAM at the top.
    wraps "rep stosb wraps at 4 GiB", 0, 0xFFFFFFFC, 8, 4, rep stosb
    wraps "rep stosd wraps at 4 GiB", 0, 0xFFFFFFF8, 4, 8, rep stosd
    wraps "rep stosd across 4 GiB", 0, 0xFFFFFFF6, 4, 6, rep stosd
    wraps "rep movsd wraps at 4 GiB", BASE, 0xFFFFFFF8, 4, 8, rep movsd
    wraps "rep movsb from 4 GiB on", 0xFFFFFFFC, BASE + 0x100, 8, BASE + 0x108, rep movsb
    cmp dword [paged], 0
    je .end
    mov eax, [0]
    mov ecx, [alias(0xFFFFFFFC)]
    mov edx, [BASE + 0x100]
    mov ebx, [BASE + 0x104]
    same "what came from the top", edx, ecx
    same "what came from the bottom", ebx, eax
    survive "rep stosd down from 0 to the top"
    mov edi, 4
    mov ecx, 4
    mov eax, [round]
    std
    rep stosd
    done
    same "rep stosd down: EDI", [last_edi], 0xFFFFFFF4
    mov eax, [round]
    same "rep stosd down: 0", [0], eax
    same "rep stosd down: the top", [alias(0xFFFFFFF8)], eax
.end:
    ret

; Long strings into, out of and over the whole zone.
ZONE_BYTES equ 0x400000
zone_strings:
    survive "rep stosd over the whole zone"
    mov edi, ZONE
    mov ecx, ZONE_BYTES / 4
    mov eax, [magic_value]
    rep stosd
    done
    same "rep stosd over the zone: EDI", [last_edi], 0
    same "rep stosd over the zone: ECX", [last_ecx], 0
    survive "rep movsd into the zone"
    mov esi, BASE
    mov edi, ZONE - 0x2000
    mov ecx, 0x1800
    rep movsd
    done
    same "rep movsd into the zone: EDI", [last_edi], ZONE + 0x4000
    survive "rep movsb down into the zone"
    mov esi, BASE + 0x2FFF
    mov edi, ZONE + 0x2FFF
    mov ecx, 0x3003
    std
    rep movsb
    done
    same "rep movsb down into the zone: EDI", [last_edi], ZONE - 4
    cmp dword [paged], 0
    je .end
    mov edi, alias(ZONE + 0x4000)
    mov ecx, (ZONE_BYTES - 0x4000) / 4
    mov eax, [magic_value]
    repe scasd
    same "the zone's memory", ecx, 0
    mov esi, BASE
    mov edi, alias(ZONE)
    mov ecx, 0x3000
    repe cmpsb
    same "what was copied down", ecx, 0
    mov esi, BASE
    mov edi, alias(ZONE - 0x2000)
    mov ecx, 0x1FFD
    repe cmpsb
    same "what was copied up", ecx, 0
    survive "repe cmpsd in the zone"
    mov esi, alias(ZONE - 0x1000)
    mov edi, ZONE - 0x1000
    mov ecx, 0x1000
    repe cmpsd
    done
    same "repe cmpsd in the zone", [last_ecx], 0
    survive "repe scasd in the zone"
    mov edi, ZONE + 0x4000
    mov ecx, 0x3000
    mov eax, [magic_value]
    mov dword [alias(ZONE + 0x9000)], 0
    repe scasd
    done
    same "repe scasd in the zone", [last_edi], ZONE + 0x9004
    mov eax, [magic_value]
    mov [alias(ZONE + 0x9000)], eax
    survive "rep movsd out of the zone"
    mov esi, ZONE - 0x2000
    mov edi, 0x340000
    mov ecx, 0x2000
    rep movsd
    done
    mov esi, alias(ZONE - 0x2000)
    mov edi, 0x340000
    mov ecx, 0x2000
    repe cmpsd
    same "what came out of the zone", ecx, 0
.end:
    ret

    section .data
    align 4
paged: dd 0
round: dd 0
