; SPDX-License-Identifier: MIT
; Copyright (c) 2026 The RingOne authors
;
; Stacks where a monitor does not expect them: ESP in the zone, across its border, at the ends of the address space, beyond
; the stack segment's limit, in expand-down and 16-bit segments. What the stack instructions do there is what they do on
; an ordinary stack, or #SS(0) (SDM Vol. 1, 6.2; Vol. 3, 5.3). And FXSAVE, FXRSTOR and aligned moves over the zone's border.
    %include "guest.inc"
    %include "registers.inc"
    %include "paging.inc"

BASE equ 0x300000
REFERENCE equ 0x380000          ; an ordinary stack
LIMITED equ FREE_SELECTOR + 3   ; limit 0xFFF
DOWN equ FREE_SELECTOR + 8 + 3  ; expand-down, 0x1000 to 4 GiB
DOWN_16 equ FREE_SELECTOR + 16 + 3 ; expand-down with 16-bit stack pointer, 0x1000 to 0xFFFF
SHORT_16 equ FREE_SELECTOR + 24 + 3 ; 16-bit stack pointer, limit 0xFFFF
LIMITED_16 equ FREE_SELECTOR + 32 + 3 ; the same, limit 0xFFF
INT_RETURN equ 0x60
SPAN equ 1024                   ; bytes of stack that are compared: below ESP as it begins, and 64 above
ABOVE equ 64
ROUNDS equ 12

    section .text
guest_main:
    set_descriptor LIMITED, BASE, 0xFFF, 0xF3, 0x4
    set_descriptor DOWN, BASE, 0xFFF, 0xF7, 0x4
    set_descriptor DOWN_16, BASE, 0xFFF, 0xF7, 0
    set_descriptor SHORT_16, BASE, 0xFFFF, 0xF3, 0
    set_descriptor LIMITED_16, BASE, 0xFFF, 0xF3, 0
    mov dword [hooks + INT_RETURN * 4], returns
    enter_user
    call segments
    leave_user
    call images
    mov eax, 7
    call enable_paging
    mov dword [paged], 1
    call everywhere
    enter_user
    call everywhere
    call segments
    leave_user
    jmp disable_paging

returns:
    ret

everywhere:
    mov dword [round], ROUNDS
.round:
    mov edx, places
.place:
    push edx
    mov esi, [edx]
    mov [address], esi
    call compare_stacks
    pop edx
    add edx, 4
    cmp edx, places.end
    jb .place
    dec dword [round]
    jnz .round
    jmp images

; The same work on an ordinary stack and on this one.
compare_stacks:
    mov edi, REFERENCE - SPAN
    mov ecx, (SPAN + ABOVE) / 4
    mov eax, 0x5A5A0F0F
    rep stosd
    mov eax, SPAN + ABOVE       ; byte by byte: the place may wrap
    mov edi, [address]
    sub edi, SPAN
    mov esi, REFERENCE - SPAN
.fill:
    mov cl, [esi]
    mov [edi], cl
    inc esi
    inc edi
    dec eax
    jnz .fill
    mov eax, REFERENCE
    call work
    mov esi, last_of_work
    mov edi, model
    mov ecx, 16
    rep movsd
    mov eax, [address]
    call work
    mov ecx, 16
    xor esi, esi
.result:
    mov eax, [last_of_work + esi * 4]
    mov edx, [model + esi * 4]
    cmp eax, edx
    je .same
    push edx
    push eax
    push dword text_result
    call check_same
    add esp, 12
.same:
    inc esi
    loop .result
    mov esi, REFERENCE - SPAN
    mov edi, [address]
    sub edi, SPAN
    mov ecx, (SPAN + ABOVE) / 4
    mov ebp, [address]
    sub ebp, REFERENCE          ; what addresses on the stack differ by
.word:
    mov eax, [edi]
    mov edx, [esi]
    cmp eax, edx
    je .next
    sub eax, ebp
    cmp eax, edx
    je .next
    lea eax, [esi - REFERENCE]
    push dword 0
    push eax
    push dword text_memory
    call check_same
    add esp, 12
    jmp .end
.next:
    add esi, 4
    add edi, 4
    loop .word
.end:
    same "stacks compared", 0, 0
    ret

; EAX: the stack. Uses every instruction that works on a stack; results in last_of_work.
%macro result 1                 ; index; EAX
    mov [last_of_work + %1 * 4], eax
%endmacro

work:
    mov [outer_esp], esp
    mov [stack], eax
    mov esp, eax
    mov ebp, 0x77665544
    mov ebx, 0x01020304
    push dword 0x11111111
    push dword 0x22222222
    push ebx
    push byte -2
    push dword [constant]
    push ds
    push word 0x3333
    push ax
    pop cx
    pop dx
    movzx eax, dx
    result 0
    mov eax, [esp + 4]
    result 1
    pop es
    pop dword [cell]
    mov eax, [cell]
    result 2
    pop eax
    result 3
    cmp ebx, 0x01020305
    stc
    std
    pushfd
    cld
    popfd
    pushfd
    and dword [esp], 0x8D5 | 0x400
    pop eax
    cld
    result 4
    mov ecx, 0x0C0C0C0C
    mov edx, 0x0D0D0D0D
    mov esi, 0x0E0E0E0E
    mov edi, 0x0F0F0F0F
    pushad
    xor ecx, ecx
    xor edx, edx
    mov dword [esp], 0x0F0F0F0E
    popad
    lea eax, [ecx + edx * 2]
    lea eax, [eax + esi * 4]
    add eax, edi
    result 5
    push esp
    pop eax
    sub eax, esp
    result 6
    push esp
    pop esp
    mov eax, esp
    sub eax, [stack]
    result 7
    push dword 0x44444444
    push dword [esp]
    pop dword [esp]
    pop eax
    result 8
    call .callee
    result 9
    mov eax, .callee
    call eax
    add eax, ebx
    result 9
    call [pointer]
    push dword 7
    push dword 8
    call .pops
    result 10
    enter 32, 0
    mov [ebp - 4], ebx
    mov dword [esp], 5
    enter 16, 3
    mov [ebp - 32], ebx
    mov eax, [ebp - 4]
    leave
    add eax, [ebp - 4]
    leave
    sub eax, ebp
    mov eax, ebp
    result 11
    int INT_RETURN
    pushfd
    push cs
    push dword .iret
    iretd
.iret:
    push cs
    push dword .retf
    retf
.retf:
    push dword 9
    push cs
    call .far
    result 12
    movups xmm0, [esp]
    movups [esp - 16], xmm0
    xchg eax, [esp]
    lock xadd [esp], eax
    lock cmpxchg8b [esp]
    result 13
    fld1
    fstp qword [esp - 8]
    mov eax, [esp - 4]
    result 14
    lea eax, [esp + 8]
    xchg esp, eax
    sub esp, 8
    mov eax, esp
    sub eax, [stack]
    result 15
    mov esp, [outer_esp]
    ret
.callee:
    mov eax, [esp]
    sub eax, .callee
    ret
.pops:
    mov eax, [esp + 4]
    add eax, [esp + 8]
    ret 8
.far:
    mov eax, [esp + 8]
    retf 4

; FXSAVE and FXRSTOR, whose image crosses the border, and aligned moves at it.
images:
    fninit
    fldpi
    fld1
    mov eax, 0x12345678
    movd xmm0, eax
    pshufd xmm7, xmm0, 0
    fxsave [REFERENCE]
    mov dword [address], ZONE - 512
.next:
    mov ebx, [address]
    survive "fxsave"
    fxsave [ebx]
    done
    cmp dword [paged], 0
    je .load
    mov esi, REFERENCE
    mov edi, [address]
    call compare_images
    same "an image of FXSAVE", eax, 0
    mov ebx, [address]
    fninit
    pxor xmm7, xmm7
    survive "fxrstor"
    fxrstor [ebx]
    done
    fxsave [REFERENCE + 0x400]
    mov esi, REFERENCE
    mov edi, REFERENCE + 0x400
    call compare_images
    same "what FXRSTOR has loaded", eax, 0
.load:
    mov ebx, [address]
    survive "fnsave and frstor"
    fnsave [ebx + 500]
    frstor [REFERENCE + 0x800]
    done
    fxrstor [REFERENCE]
    add dword [address], 16
    cmp dword [address], ZONE + 32
    jbe .next
    mov ebx, ZONE - 8
    attempt "movaps across the border", GP, 0
    at
    movaps [ebx], xmm0
    done
    attempt "movaps from across the border", GP, 0
    mov ebx, ZONE - 8
    at
    addps xmm0, [ebx]
    done
    attempt "misaligned fxsave across the border", GP, 0
    mov ebx, ZONE - 264
    at
    fxsave [ebx]
    done
    attempt "misaligned fxrstor in the zone", GP, 0
    mov ebx, ZONE + 8
    at
    fxrstor [ebx]
    done
    ret

; ESI, EDI: images of FXSAVE. EAX: 0 where all that is defined is the same.
compare_images:
    mov eax, [esi]              ; FCW, FSW
    sub eax, [edi]
    mov edx, [esi + 24]         ; MXCSR
    sub edx, [edi + 24]
    or eax, edx
    mov dl, [esi + 4]           ; FTW
    sub dl, [edi + 4]
    or al, dl
    cmp dword [on_qemu], 1      ; TCG has no last instruction
    je .registers
    mov edx, [esi + 8]          ; FIP
    sub edx, [edi + 8]
    or eax, edx
.registers:
    add esi, 32
    add edi, 32
    mov ecx, 10                 ; ST0
    repe cmpsb
    setne dl
    or al, dl
    add esi, 6
    add edi, 6
    mov ecx, 10                 ; ST1
    repe cmpsb
    setne dl
    or al, dl
    add esi, 160 - 58
    add edi, 160 - 58
    mov ecx, 128 / 4            ; XMM0 to XMM7
    repe cmpsd
    setne dl
    or al, dl
    ret

; At CPL 3, whose faults have another stack.
%macro stack_fault 5+           ; name, selector, ESP, EBP's use (place), instruction
    attempt %1, SS_, 0
    mov dword [esp_wanted], %3
    mov dword [place], %4
    call known_registers
    mov ss, [cs:%%selector]
    mov esp, [cs:esp_wanted]
    at
    %5
    done
    check_unchanged_as %1
    [section .rodata]
    align 4
    %%selector: dd %2
    __?SECT?__
%endmacro

%macro stack_fault_named 5+     ; name, where, selector, ESP, instruction
    %push
    %strcat %$name %1, %2
    stack_fault %$name, %3, %4, 0, %5
    %pop
%endmacro

%macro pushes_fault 3           ; selector, ESP, "where"
    stack_fault_named "push r ", %3, %1, %2, push eax
    stack_fault_named "push imm ", %3, %1, %2, push 1
    stack_fault_named "push m ", %3, %1, %2, push dword [constant]
    stack_fault_named "push es ", %3, %1, %2, push es
    stack_fault_named "pushfd ", %3, %1, %2, pushfd
    stack_fault_named "pushad ", %3, %1, %2, pushad
    stack_fault_named "call ", %3, %1, %2, call work
    stack_fault_named "call r ", %3, %1, %2, call ebx
    stack_fault_named "call m ", %3, %1, %2, call [pointer]
    stack_fault_named "call far ", %3, %1, %2, call USER_CODE:work
    stack_fault_named "enter ", %3, %1, %2, enter 8, 0
%endmacro

%macro pops_fault 3             ; selector, ESP, "where"
    stack_fault_named "pop r ", %3, %1, %2, pop eax
    stack_fault_named "pop m ", %3, %1, %2, pop dword [cell]
    stack_fault_named "pop es ", %3, %1, %2, pop es
    stack_fault_named "pop ss ", %3, %1, %2, pop ss
    stack_fault_named "popfd ", %3, %1, %2, popfd
    stack_fault_named "popad ", %3, %1, %2, popad
    stack_fault_named "ret ", %3, %1, %2, ret
    stack_fault_named "ret n ", %3, %1, %2, ret 4
    stack_fault_named "retf ", %3, %1, %2, retf
    stack_fault_named "iretd ", %3, %1, %2, iretd
    stack_fault_named "mov r, [esp] ", %3, %1, %2, mov eax, [esp]
    stack_fault_named "add [esp], r ", %3, %1, %2, add [esp], eax
    stack_fault_named "movups x, [esp] ", %3, %1, %2, movups xmm0, [esp]
    stack_fault_named "fld [esp] ", %3, %1, %2, fld dword [esp]
%endmacro

; ESP and SP at CPL 3 in segments of other kinds.
segments:
    cmp dword [on_qemu], 1      ; TCG checks no limit
    je .no_limits
    mov dword [round], ROUNDS
.round:
    pushes_fault LIMITED, 0x1004, "above the limit"
    pushes_fault LIMITED, 0x1001, "across the limit"
    pushes_fault LIMITED, 2, "below 0"
    pushes_fault LIMITED, ZONE + 0x100, "in the zone"
    pushes_fault DOWN, 0x1000, "below an expand-down stack"
    pushes_fault DOWN, 0x1003, "across its lower end"
    pushes_fault DOWN_16, 0x1003, "across the lower end of a 16-bit one"
    pushes_fault LIMITED_16, 0x12341002, "across a 16-bit stack's limit"
    pushes_fault LIMITED_16, 0x12340000, "below 0 on a 16-bit stack"
    pops_fault LIMITED, 0xFFD, "across the limit"
    pops_fault LIMITED, 0x1000, "above the limit"
    pops_fault LIMITED, 0xFFFFFFFE, "above all"
    pops_fault DOWN, 0xFFD, "across the lower end"
    stack_fault "enter copies over the limit", LIMITED, 4, 0, enter 8, 1
    stack_fault "enter ends below 0", LIMITED, 16, 0, enter 64, 0
    stack_fault "enter reads over the limit", LIMITED, 0x800, 0, enter 8, 2
    stack_fault "leave", LIMITED, 0x800, 0, leave
    stack_fault "push m over the limit", LIMITED, 0x800, 0x1000, push dword [ss:ebx]
    stack_fault "pushad, its third", LIMITED, 8, 0, pushad
    dec dword [round]
    jnz .round
.no_limits:
    mov dword [round], ROUNDS
.inside:
    call inside
    dec dword [round]
    jnz .inside
    ret

%macro on_stack 4+              ; name, selector, ESP, instructions
    survive %1
    mov ss, [cs:%%selector]
    mov esp, %3
    %4
    done
    [section .rodata]
    align 4
    %%selector: dd %2
    __?SECT?__
%endmacro

%macro pushes_four 0
    push dword 0x01010101
    push byte 2
    push word 0x0303
    push word 0x0404
%endmacro

inside:
    on_stack "push to the end of a segment", LIMITED, 0x1000, pushes_four
    same "ESP after pushes", [last_esp], 0xFF4
    same "what was pushed first", [BASE + 0xFFC], 0x01010101
    same "what was pushed last", [BASE + 0xFF4], 0x03030404
    on_stack "pushes down to 0", LIMITED, 12, pushes_four
    same "ESP at 0", [last_esp], 0
    on_stack "pushes to the end of an expand-down segment", DOWN, 0x100C, pushes_four
    same "ESP in it", [last_esp], 0x1000
    same "the lowest of an expand-down stack", [BASE + 0x1000], 0x03030404
    on_stack "pushes from 0 in an expand-down segment", DOWN, 0, pushes_four
    same "ESP at its top", [last_esp], 0xFFFFFFF4
    same "the top of an expand-down stack", [BASE - 12], 0x03030404
    ; SP alone moves and addresses.
    on_stack "pushes on a 16-bit stack", SHORT_16, 0x12340008, pushes_four
    same "ESP on a 16-bit stack", [last_esp], 0x1234FFFC
    same "a 16-bit stack that wraps", [BASE + 0xFFFC], 0x03030404
    on_stack "pops on a 16-bit stack", SHORT_16, 0x5678FFFC, pop eax
    same "ESP after a pop that wraps", [last_esp], 0x56780000
    same "what it has popped", [last_eax], 0x03030404
    on_stack "pushad on a 16-bit stack", SHORT_16, 0x9ABC0010, pushad
    same "ESP after it", [last_esp], 0x9ABCFFF0
    on_stack "popad on a 16-bit stack", SHORT_16, 0x9ABCFFF0, popad
    same "ESP after that", [last_esp], 0x9ABC0010
    on_stack "calls on a 16-bit stack", SHORT_16, 0x12340000, call .callee
    same "ESP in the call", [last_ecx], 0x1234FFFC
    same "ESP after the call", [last_esp], 0x12340000
    mov ebp, 0x77770100
    on_stack "enter on a 16-bit stack", SHORT_16, 0x12340800, enter 16, 1
    same "ESP after enter", [last_esp], 0x123407E8
    same "EBP after enter", [last_ebp], 0x123407FC
    mov ebp, 0x55550900
    mov dword [BASE + 0x900], 0x66660123
    on_stack "leave on a 16-bit stack", SHORT_16, 0x12340800, leave
    same "ESP after leave", [last_esp], 0x12340904
    same "EBP after leave", [last_ebp], 0x66660123
    on_stack "pushfd, popfd on a 16-bit stack", SHORT_16, 0x12340000, pushfd
    same "ESP after pushfd", [last_esp], 0x1234FFFC
    on_stack "ret n on a 16-bit stack", SHORT_16, 0x12340010, call .pops
    same "ESP after ret n", [last_esp], 0x1234F010
    on_stack "a far call on a 16-bit stack", SHORT_16, 0x12340004, call USER_CODE:.far
    same "ESP in the far call", [last_ecx], 0x1234FFFC
    same "ESP after the far return", [last_esp], 0x12340004
    on_stack "push esp on a 16-bit stack", SHORT_16, 0x12340100, push esp
    same "what push esp pushes", [BASE + 0xFC], 0x12340100
    on_stack "pop esp on a 16-bit stack", SHORT_16, 0x123400FC, pop esp
    same "ESP after pop esp", [last_esp], 0x12340100
    ret
.callee:
    mov ecx, esp
    ret
.pops:
    ret 0xF000
.far:
    mov ecx, esp
    retf

    section .rodata
text_result: db "a result of the work on a stack", 0
text_memory: db "the memory of a stack", 0

    section .data
    align 4
paged: dd 0
round: dd 0
address: dd 0
outer_esp: dd 0
stack: dd 0
cell: dd 0
constant: dd 0x0C0FFEE0
pointer: dd work.callee
last_of_work: times 16 dd 0
model: times 16 dd 0
places:
    dd ZONE + 0x2000
    dd ZONE
    dd ZONE + 2
    dd ZONE + 7
    dd ZONE + 24
    dd ZONE + 100
    dd ZONE + 0x42010
    dd 0xFFFFF000
    dd 0; goes on at the top
    dd 8
    dd 30
.end:
