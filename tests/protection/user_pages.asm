; SPDX-License-Identifier: MIT
; Copyright (c) 2026 The RingOne authors
;
; CPL 3 and pages that are not its own: every kind of access to a supervisor page, to one that it may only read, and to one
; that is not there raises #PF with the right error code and CR2 and changes nothing (SDM Vol. 3, 4.6 and 4.7); what the
; CPU reads for itself (descriptors, gates, TSS) may lie there. The kernel's own accesses to the same pages succeed.
    %include "guest.inc"
    %include "registers.inc"

LOW equ 0x01000000              ; amid user pages
HIGH_ equ 0xC0000000            ; where kernels are: RingOne ends user mode's segments below
; Pages of either region, by index; the same frames in both.
USER_0 equ 0x0000
SUPERVISOR equ 0x1000
USER_2 equ 0x2000
READ_ONLY equ 0x3000
USER_4 equ 0x4000
ABSENT equ 0x5000
USER_6 equ 0x6000
TABLES equ 0x7000               ; supervisor: GDT and TSS
IDT_PAGE equ 0x8000
ROUNDS equ 12                   ; what keeps trapping is translated anew
FETCH equ 0                     ; error code bits: no NX, so a fetch is a read
P equ 1
W equ 2
U equ 4
UNTOUCHED equ 0x600DF00D

    section .text
guest_main:
    call map
    cmp dword [HIGH_ + SUPERVISOR], 0   ; the kernel has used it: the lowest supervisor page now
    mov edi, frames
    mov ecx, 5 * 1024
    mov eax, UNTOUCHED
    rep stosd
    mov byte [frames + USER_2 + 0x200], 0xC3
    call move_tables
    call as_kernel
    enter_user
    mov dword [round], ROUNDS
.round:
    mov dword [region], LOW
    call as_user
    mov dword [region], HIGH_
    call as_user
    call implicit
    dec dword [round]
    jnz .round
    leave_user
    call as_kernel
    mov eax, [gdt + FREE_SELECTOR + 4]
    shr eax, 8
    and eax, 1
    same "not the table in use", eax, 0
    mov eax, [frames + TABLES + FREE_SELECTOR + 4]
    shr eax, 8
    and eax, 1
    same "the accessed bit of a descriptor in a supervisor page", eax, 1
    mov edi, frames + SUPERVISOR
    mov ecx, 1024
    mov eax, UNTOUCHED
    repe scasd
    same "the supervisor page", ecx, 0
    mov edi, frames + READ_ONLY
    mov ecx, 1024
    mov eax, UNTOUCHED
    repe scasd
    same "the page that is only read", ecx, 0
    mov eax, cr0
    and eax, 0x7FFFFFFF
    mov cr0, eax
    lgdt [gdt_pointer]
    lidt [idt_pointer]
    ret

map:
    mov ecx, 4                  ; the first 16 MiB in large user pages
    xor edx, edx
    mov eax, 0x87
.identity:
    mov [page_directory + edx * 4], eax
    add eax, 0x400000
    inc edx
    loop .identity
    mov ecx, 9
    xor edx, edx
.page:
    mov eax, edx
    shl eax, 12
    add eax, frames
    mov al, [.rights + edx]
    mov [page_table + edx * 4], eax
    inc edx
    loop .page
    mov dword [page_directory + (LOW >> 22) * 4], page_table + 7
    mov dword [page_directory + (HIGH_ >> 22) * 4], page_table + 7
    mov eax, cr4
    or eax, 0x10                ; PSE
    mov cr4, eax
    mov eax, page_directory
    mov cr3, eax
    mov eax, cr0
    or eax, 0x80010000          ; PG, WP
    mov cr0, eax
    ret
.rights: db 7, 3, 7, 5, 7, 0, 7, 3, 3

; GDT, TSS and IDT into supervisor pages.
move_tables:
    set_descriptor FREE_SELECTOR, 0, 0xFFFFF, 0xF2, 0xC     ; not accessed yet
    mov byte [gdt + TASK + 5], 0x89                         ; not busy
    mov esi, gdt
    mov edi, HIGH_ + TABLES
    mov ecx, GDT_ENTRIES * 2
    rep movsd
    mov esi, tss
    mov edi, HIGH_ + TABLES + 0x400
    mov ecx, TSS_BYTES
    rep movsb
    mov esi, idt
    mov edi, HIGH_ + IDT_PAGE
    mov ecx, 512
    rep movsd
    lgdt [.gdt]
    lidt [.idt]
    mov dword [HIGH_ + TABLES + TASK + 2], ((HIGH_ + TABLES + 0x400) & 0xFFFFFF) | 0x89000000
    mov byte [HIGH_ + TABLES + TASK + 7], HIGH_ >> 24
    mov eax, TASK
    ltr ax
    ret
.gdt:
    dw GDT_ENTRIES * 8 - 1
    dd HIGH_ + TABLES
.idt:
    dw 256 * 8 - 1
    dd HIGH_ + IDT_PAGE

; Reads that the CPU makes as a supervisor, whatever the CPL (SDM Vol. 3, 4.6: implicit supervisor-mode accesses).
implicit:
    survive "a descriptor in a supervisor page"
    mov eax, FREE_SELECTOR + 3
    mov fs, eax
    mov eax, [fs:place]
    done
    survive "queries of a descriptor in a supervisor page"
    mov eax, USER_DATA
    lar ecx, eax
    lsl edx, eax
    verr ax
    verw ax
    done
    survive "far jump by a descriptor in a supervisor page"
    jmp USER_CODE:.there
.there:
    done
    survive "I/O permissions in a supervisor page"
    mov edx, 0x80
    out dx, al
    done
    ret

%macro denied 3+                ; name, error code, instruction
    unchanged %1, PF, %2, %3
%endmacro

; An operand of several parts: any may be the first to fault.
%macro denied_part 3+
    mov dword [cr2_bits], ~0xFFF
    denied %1, %2, %3
%endmacro

%macro dword_reads 1            ; error code: for a user's access
    denied "mov r, m", %1, mov eax, [ebx]
    denied "mov r, [fs:m]", %1, mov eax, [fs:ebx]
    denied "mov r, [gs:m]", %1, mov eax, [gs:ebx]
    denied "mov r, [cs:m]", %1, mov eax, [cs:ebx]
    denied "add r, m", %1, add eax, [ebx]
    denied "cmp m, r", %1, cmp [ebx], eax
    denied "test m, imm", %1, test dword [ebx], 1
    denied "bt m, r", %1, bt [ebx], ecx
    denied "imul r, m", %1, imul eax, [ebx]
    denied "div m", %1, div dword [ebx]
    denied "cmov, not taken", %1, cmovz eax, [ebx]
    denied "push m", %1, push dword [ebx]
    denied "call m", %1, call [ebx]
    denied "jmp m", %1, jmp [ebx]
    denied_part "bound", %1, bound eax, [ebx]
    denied "fld m32", %1, fld dword [ebx]
    denied "fild m64", %1, fild qword [ebx]
    denied "fadd m64", %1, fadd qword [ebx]
    denied_part "fldenv", %1, fldenv [ebx]
    denied_part "frstor", %1, frstor [ebx]
    denied "ldmxcsr", %1, ldmxcsr [ebx]
    denied "movd x, m", %1, movd xmm0, [ebx]
    denied "movups x, m", %1, movups xmm0, [ebx]
    denied "cvtsi2ss", %1, cvtsi2ss xmm0, [ebx]
    denied "movsd", %1, db 0x26, 0xA5   ; ES: as the source's segment
    denied "rep movsd", %1, rep movsd
    denied "lodsd", %1, lodsd
    denied "rep lodsd", %1, rep lodsd
    denied "scasd", %1, scasd
    denied "repne scasd", %1, repne scasd
    denied "cmpsd", %1, cmpsd
    denied "repe cmpsd", %1, repe cmpsd
%endmacro

%macro dword_writes 1
    denied "mov m, r", %1, mov [ebx], eax
    denied "mov [fs:m], r", %1, mov [fs:ebx], eax
    denied "mov [gs:m], r", %1, mov [gs:ebx], eax
    denied "mov m, imm", %1, mov dword [ebx], 1
    denied "add m, r", %1, add [ebx], eax
    denied "inc m", %1, inc dword [ebx]
    denied "neg m", %1, neg dword [ebx]
    denied "shl m, cl", %1, shl dword [ebx], cl
    denied "shld", %1, shld [ebx], eax, cl
    denied "xchg", %1, xchg [ebx], eax
    denied "lock xadd", %1, lock xadd [ebx], eax
    denied "cmpxchg", %1, cmpxchg [ebx], ecx
    denied "lock cmpxchg8b", %1, lock cmpxchg8b [ebx]
    denied "bts m, r", %1, bts [ebx], ecx
    denied "lock btc m, imm", %1, lock btc dword [ebx], 3
    denied "movnti", %1, movnti [ebx], eax
    denied "pop m", %1, pop dword [ebx]
    denied "fst m32", %1, fst dword [ebx]
    denied "fistp m64", %1, fistp qword [ebx]
    denied "fstp m80", %1, fstp tword [ebx]
    denied_part "fnstenv", %1, fnstenv [ebx]
    denied_part "fnsave", %1, fnsave [ebx]
    denied "stmxcsr", %1, stmxcsr [ebx]
    denied "movd m, x", %1, movd [ebx], xmm0
    denied "movups m, x", %1, movups [ebx], xmm0
    denied "stosd", %1, stosd
    denied "rep stosd", %1, rep stosd
    denied_part "sgdt", %1, sgdt [ebx]
    denied_part "sidt", %1, sidt [ebx]
%endmacro

%macro other_reads 1
    denied "mov r8, m8", %1, mov cl, [ebx]
    denied "movzx", %1, movzx eax, word [ebx]
    denied "xlat", %1, xlatb
    denied "lodsb", %1, lodsb
    denied "rep movsb", %1, rep movsb
    denied "repe cmpsb", %1, repe cmpsb
    denied "repne scasb", %1, repne scasb
    denied "outsb", %1, outsb
    denied "rep outsd", %1, rep outsd
    denied_part "jmp far m", %1, jmp far [ebx]
    denied_part "call far m", %1, call far [ebx]
    denied_part "les", %1, les eax, [ebx]
    denied_part "lfs", %1, lfs eax, [ebx]
    denied_part "lss", %1, lss eax, [ebx]
    denied "mov ds, m", %1, mov ds, [ebx]
    denied "mov gs, m", %1, mov gs, [ebx]
    denied "mov ss, m", %1, mov ss, [ebx]
    denied "lar r, m", %1, lar eax, [ebx]
    denied "lsl r, m", %1, lsl eax, [ebx]
    denied "verr m", %1, verr [ebx]
    denied "verw m", %1, verw [ebx]
    denied "fldcw", %1, fldcw [ebx]
    denied_part "fbld", %1, fbld [ebx]
    denied_part "fxrstor", %1, fxrstor [ebx]
    denied "movaps x, m", %1, movaps xmm0, [ebx]
    denied "mulps x, m", %1, mulps xmm0, [ebx]
    denied "paddd mm, m", %1, paddd mm0, [ebx]
%endmacro

%macro other_writes 1
    denied "mov m8, r8", %1, mov [ebx], cl
    denied "setcc", %1, setc [ebx]
    denied "stosb", %1, stosb
    denied "insb", %1, insb
    denied "rep insd", %1, rep insd
    denied "mov m, ds", %1, mov [ebx], ds
    denied "sldt m", %1, sldt [ebx]
    denied "str m", %1, str [ebx]
    denied "smsw m", %1, smsw [ebx]
    denied "fnstcw", %1, fnstcw [ebx]
    denied "fnstsw", %1, fnstsw [ebx]
    denied_part "fbstp", %1, fbstp [ebx]
    denied_part "fxsave", %1, fxsave [ebx]
    denied "movaps m, x", %1, movaps [ebx], xmm0
    denied "movntq", %1, movntq [ebx], mm0
    denied_part "maskmovdqu", %1, maskmovdqu xmm0, xmm1
%endmacro

at_place:                       ; EAX: offset in the region; EDX: where CR2 will be
    add eax, [region]
    add edx, [region]
    mov [place], eax
    mov [cr2_wanted], edx
    ret

%macro at_offset 2              ; place, CR2
    mov eax, %1
    mov edx, %2
    call at_place
%endmacro

as_user:
    fninit
    emms
    pcmpeqd xmm1, xmm1
    at_offset SUPERVISOR + 0x100, SUPERVISOR + 0x100
    dword_reads U + P
    dword_writes U + W + P
    other_reads U + P
    other_writes U + W + P
    at_offset SUPERVISOR - 2, SUPERVISOR        ; from a user page
    dword_reads U + P
    dword_writes U + W + P
    at_offset SUPERVISOR + 0xFFE, SUPERVISOR + 0xFFE ; into one
    dword_reads U + P
    dword_writes U + W + P
    at_offset READ_ONLY + 0x100, READ_ONLY + 0x100
    dword_writes U + W + P
    other_writes U + W + P
    denied "arpl m, r", U + W + P, arpl [ebx], bp
    at_offset READ_ONLY - 2, READ_ONLY
    dword_writes U + W + P
    at_offset ABSENT + 0x100, ABSENT + 0x100
    dword_reads U
    dword_writes U + W
    other_reads U
    other_writes U + W
    at_offset ABSENT - 2, ABSENT
    dword_reads U
    dword_writes U + W
    call stacks
    call progress
    call fetches
    ret

%macro denied_stack 6+          ; name, page, ESP's offset, CR2's, error, instruction
    mov eax, [region]
    add eax, %2 + %3
    mov [some_esp], eax
    add eax, %4 - (%3)
    mov [some_cr2], eax
    mov eax, [some_cr2]
    mov ecx, [some_esp]
    mov [place], ecx
    unchanged_on_stack %1, PF, %5, ecx, eax, %6
%endmacro

%macro stack_page 3             ; page, error of a read, of a write
    denied_stack "push r", %1, 0x800, 0x7FC, %3, push eax
    denied_stack "push imm", %1, 0x800, 0x7FC, %3, push 1
    denied_stack "push m", %1, 0x800, 0x7FC, %3, push dword [place]
    denied_stack "push ds", %1, 0x800, 0x7FC, %3, push ds
    denied_stack "push ax", %1, 0x800, 0x7FE, %3, push ax
    mov dword [cr2_bits], ~0xFFF
    denied_stack "pushad", %1, 0x800, 0x7FC, %3, pushad
    denied_stack "pushfd", %1, 0x800, 0x7FC, %3, pushfd
    denied_stack "call", %1, 0x800, 0x7FC, %3, call guest_main
    denied_stack "call r", %1, 0x800, 0x7FC, %3, call eax
    denied_stack "call m", %1, 0x800, 0x7FC, %3, call [pointer_to_code]
    denied_stack "call far", %1, 0x800, 0x7FC, %3, call USER_CODE:guest_main
    denied_stack "enter", %1, 0x800, 0x7FC, %3, enter 8, 0
    denied_stack "push, below", %1 + 0x1000, 2, -2, %3, push eax
%endmacro

%macro stack_reads 2            ; page, error
    denied_stack "pop r", %1, 0x800, 0x800, %2, pop eax
    mov dword [cr2_bits], ~0xFFF
    denied_stack "pop m", %1, 0x800, 0x800, %2, pop dword [some_cell]
    denied_stack "pop ds", %1, 0x800, 0x800, %2, pop ds
    denied_stack "pop ss", %1, 0x800, 0x800, %2, pop ss
    mov dword [cr2_bits], ~0xFFF
    denied_stack "popad", %1, 0x800, 0x800, %2, popad
    denied_stack "popfd", %1, 0x800, 0x800, %2, popfd
    denied_stack "ret", %1, 0x800, 0x800, %2, ret
    denied_stack "ret n", %1, 0x800, 0x800, %2, ret 8
    mov dword [cr2_bits], ~0xFFF
    denied_stack "retf", %1, 0x800, 0x800, %2, retf
    mov dword [cr2_bits], ~0xFFF
    denied_stack "iretd", %1, 0x800, 0x800, %2, iretd
    denied_stack "cmp [es:esp]", %1, 0x800, 0x800, %2, cmp eax, [es:esp]
%endmacro

stacks:
    stack_page SUPERVISOR, U + P, U + W + P
    stack_page READ_ONLY, 0, U + W + P
    stack_page ABSENT, U, U + W
    stack_reads SUPERVISOR, U + P
    stack_reads ABSENT, U
    ret

%macro walked 8+                ; name, error, direction, ESI, EDI, element size, elements done, instruction
    mov eax, [region]
    lea ecx, [eax + %4]
    lea edx, [eax + %5]
    mov [some_esi], ecx
    mov [some_edi], edx
    attempt %1, PF, %2
    mov esi, [some_esi]
    mov edi, [some_edi]
    mov ecx, 20
    xor eax, eax
    %3
    at
    %8
    done
    same %1, [last_ecx], 20 - %7
    mov eax, [some_esi]
    add eax, %6 * %7
    cmp eax, [last_esi]
    je %%moved
    mov eax, [some_edi]
    add eax, %6 * %7
    same %1, [last_edi], eax
%%moved:
%endmacro

%macro walked_cr2 1             ; offset
    mov eax, [region]
    add eax, %1
    same "CR2 of a string instruction", [last_cr2], eax
%endmacro

; String instructions stop at the element that faults, with the elements before it done (SDM Vol. 2, REP).
progress:
    walked "rep stosd into the supervisor page", U + W + P, cld, 0, SUPERVISOR - 16, 4, 4, rep stosd
    walked_cr2 SUPERVISOR
    walked "rep stosd across", U + W + P, cld, 0, SUPERVISOR - 14, 4, 3, rep stosd
    walked_cr2 SUPERVISOR
    walked "rep stosd down", U + W + P, std, 0, USER_2 + 8, -4, 3, rep stosd
    walked_cr2 SUPERVISOR + 0xFFC
    walked "rep movsb to it", U + W + P, cld, USER_2, SUPERVISOR - 7, 1, 7, rep movsb
    walked_cr2 SUPERVISOR
    walked "rep movsd from it", U + P, cld, SUPERVISOR - 8, USER_4, 4, 2, rep movsd
    walked_cr2 SUPERVISOR
    walked "rep movsd down from it", U + P, std, USER_2 + 4, USER_4 + 0x80, -4, 2, rep movsd
    walked_cr2 SUPERVISOR + 0xFFC
    walked "rep lodsw", U + P, cld, SUPERVISOR - 6, 0, 2, 3, rep lodsw
    walked_cr2 SUPERVISOR
    mov edi, [region]
    mov dword [edi + SUPERVISOR - 4], 0
    mov dword [edi + USER_4], 0
    walked "repe scasb", U + P, cld, 0, SUPERVISOR - 4, 1, 4, repe scasb
    walked_cr2 SUPERVISOR
    walked "repe cmpsb", U + P, cld, USER_4, SUPERVISOR - 4, 1, 4, repe cmpsb
    walked_cr2 SUPERVISOR
    walked "rep stosd over what is not there", U + W, cld, 0, ABSENT - 16, 4, 4, rep stosd
    walked_cr2 ABSENT
    ret

%macro fetch 3                  ; name, error, offset
    mov eax, [region]
    add eax, %3
    mov [some_target], eax
    attempt %1, PF, %2
    mov [expected_eip], eax
    at
    jmp eax
    done
    same %1, [last_cr2], [some_target]
    attempt %1, PF, %2
    mov eax, [some_target]
    mov [expected_eip], eax
    push eax
    at
    ret
    done
    same %1, [last_cr2], [some_target]
%endmacro

fetches:
    fetch "fetch from the supervisor page", U + FETCH + P, SUPERVISOR
    fetch "fetch from its end", U + FETCH + P, SUPERVISOR + 0xFFF
    fetch "fetch from the absent page", U + FETCH, ABSENT + 0x10
    mov eax, [region]
    survive "fetch from a user page"
    add eax, USER_2 + 0x200
    call eax
    done
    mov eax, [region]           ; an instruction that ends in the supervisor page
    add eax, SUPERVISOR - 1
    mov byte [eax], 0xB8
    mov [some_target], eax
    attempt "fetch across the border", PF, U + FETCH + P
    mov [expected_eip], eax
    at
    jmp eax
    done
    mov eax, [some_target]
    inc eax
    same "CR2 of a fetch across the border", [last_cr2], eax
    ret

; The kernel's own accesses.
as_kernel:
    mov dword [region], LOW
    call .accesses
    mov dword [region], HIGH_
.accesses:
    mov ebx, [region]
    survive "the kernel reads its page"
    mov eax, [ebx + SUPERVISOR + 0x100]
    same "the kernel's page", eax, UNTOUCHED
    done
    mov ebx, [region]
    survive "the kernel writes its page"
    mov eax, UNTOUCHED
    mov [ebx + SUPERVISOR + 0x100], eax
    push dword [ebx + SUPERVISOR + 0x200]
    pop dword [ebx + SUPERVISOR + 0x300]
    movups xmm0, [ebx + SUPERVISOR + 0x400]
    movups [ebx + SUPERVISOR + 0x500], xmm0
    lea edi, [ebx + SUPERVISOR]
    mov ecx, 1024
    rep stosd
    done
    at_offset READ_ONLY + 0x100, READ_ONLY + 0x100
    dword_writes W + P          ; WP
    at_offset ABSENT + 0x100, ABSENT + 0x100
    dword_reads 0
    dword_writes W
    ret

    section .data
    align 4
region: dd 0
round: dd 0
some_esp: dd 0
some_cr2: dd 0
some_cell: dd 0
some_esi: dd 0
some_edi: dd 0
some_target: dd 0
pointer_to_code: dd guest_main
    section .bss
    alignb 4096
page_directory: resb 4096
page_table: resb 4096
frames: resb 9 * 4096
