; SPDX-License-Identifier: MIT
; Copyright (c) 2026 The RingOne authors
;
; The debug registers (SDM Vol. 3, 17.2 and 17.3.1). A handler records each #DB; after each piece of code the guest
; compares their number, DR6, the address and what else it knows of them.
    %include "guest.inc"
    %include "paging.inc"

ARM equ 0x72                    ; EAX: R/W and LEN of DR0, and DR7's enables; EBX: DR0, ECX: DR1
CR4_DE equ 8
RF equ 0x10000
TF equ 0x100
DEBUG_PORT equ 0x80             ; nothing is there

; DR7 for DR0 and DR1. G0 and G1 are bits 1 and 3.
EXECUTE equ 0x2
WRITE_1 equ 0x00010002
WRITE_2 equ 0x00050002
WRITE_4 equ 0x000D0002
WRITE_8 equ 0x00090002
ACCESS_1 equ 0x00030002
ACCESS_4 equ 0x000F0002
PORT_1 equ 0x00020002
SECOND_ACCESS_2 equ 0x00700008  ; DR1
SECOND_EXECUTE equ 0x8

%macro arm 2-3 0                ; DR0, DR7 [, DR1]
    mov ebx, %1
    mov eax, %2
    mov ecx, %3
    int ARM
%endmacro

; What has been seen since `arm`: name, number, DR6 of all together, EIP of the last (if there was one)
%macro seen 3-4 0
    same {%1, ": number"}, [number], %2
    same {%1, ": DR6"}, [seen_dr6], %3
%if %2
    same {%1, ": EIP"}, [seen_eip], %4
%endif
%endmacro

; Between these two: one instruction, and what it must lead to: name, DR6 (0: no #DB), the next instruction's address.
%macro watch_out 0
    mov dword [number], 0
    mov dword [seen_dr6], 0
    mov dword [seen_eip], 0
    mov [saved_esp], esp
%endmacro
%macro verdict 3
    mov esp, [saved_esp]
    same {%1, ": DR6"}, [seen_dr6], %2
%if %2
    same {%1, ": number"}, [number], 1
    same {%1, ": EIP"}, [seen_eip], %3
    mov eax, [seen_eflags]
    and eax, RF
    same {%1, ": RF"}, eax, 0
%else
    same {%1, ": number"}, [number], 0
%endif
%endmacro

%macro check_data 3+            ; name, DR6, instruction
    watch_out
    %3
%%after:
    verdict %1, %2, %%after
%endmacro

%macro check_stack 4+           ; name, DR6, ESP, instruction
    watch_out
    mov esp, %3
    %4
%%after:
    verdict %1, %2, %%after
%endmacro

    section .bss
    alignb 4096
area: resb 8192                 ; what is watched, and nothing else
other: resb 4096
number: resd 1
seen_dr6: resd 1
seen_eip: resd 1
seen_eflags: resd 1
seen_ecx: resd 1
execution: resd 1                ; DR6 bits of execution breakpoints
saved_esp: resd 1
sum: resd 1
far_pointer: resd 2
spot equ area + 0x100

    section .text
guest_main:
    mov dword [hooks + DB_ * 4], debugged
    mov dword [hooks + ARM * 4], armed
    call everything
    mov eax, 7
    call enable_paging
    call everything
    call aliases
    enter_user
    call data
    call stacks
    call strings
    call executed
    leave_user
    jmp disable_paging

everything:
    call data
    call strings
    call executed
    call shadows
    call stepping
    call ports
    call elsewhere
    ret

; At CPL 0; EBP: the frame.
debugged:
    inc dword [number]
    mov eax, dr6
    and eax, 0xE00F
    or [seen_dr6], eax
    mov edx, eax
    mov eax, 0xFFFF0FF0
    mov dr6, eax
    mov eax, [ebp + FRAME_EIP]
    mov [seen_eip], eax
    mov ecx, [ebp + FRAME_EFLAGS]
    mov [seen_eflags], ecx
    mov ecx, [ebp + FRAME_GPR + 24]
    mov [seen_ecx], ecx
    test edx, [execution]
    jz .data
    or dword [ebp + FRAME_EFLAGS], RF
.data:
    ret

armed:
    mov eax, 0x400
    mov dr7, eax
    mov eax, [ebp + FRAME_GPR + 16] ; EBX
    mov dr0, eax
    mov eax, [ebp + FRAME_GPR + 24] ; ECX
    mov dr1, eax
    mov eax, 0xFFFF0FF0
    mov dr6, eax
    mov eax, [ebp + FRAME_EAX]
    or eax, 0x400
    mov dr7, eax
    xor ecx, ecx
    test eax, 0x30000
    setz cl
    mov [execution], ecx
    test eax, 0x300000
    setz cl
    shl ecx, 1
    or [execution], ecx
    mov dword [number], 0
    mov dword [seen_dr6], 0
    ret

; ---- Data breakpoints on single instructions.
data:
    arm spot, WRITE_4
    mov ebx, spot
    check_data "a write", 1, mov [ebx], eax
    mov ebx, spot
    check_data "a read of what is watched for writes", 0, mov eax, [ebx]
    mov ebx, spot
    check_data "its last byte", 1, mov [ebx + 3], al
    mov ebx, spot
    check_data "the byte behind it", 0, mov [ebx + 4], al
    mov ebx, spot
    check_data "up to its first byte", 1, mov [ebx - 3], eax
    mov ebx, spot
    check_data "up to the byte before it", 0, mov [ebx - 4], eax
    mov ebx, spot
    check_data "read, modified and written", 1, add dword [ebx], 5
    mov ebx, spot
    check_data "compared", 0, cmp dword [ebx], 5
    mov ebx, spot
    xor eax, eax
    mov ecx, 1
    check_data "CMPXCHG that finds something else", 1, cmpxchg [ebx], ecx
    mov ebx, spot - 0x20
    mov ecx, 0x20 * 8 + 5
    check_data "a bit far from the operand", 1, bts [ebx], ecx
    mov ebx, spot
    mov ecx, 0x20 * 8 + 5
    check_data "a bit far from what is watched", 0, bts [ebx], ecx
    mov ebx, spot
    check_data "SGDT", 1, sgdt [ebx - 2]
    mov ebx, spot
    fldz
    check_data "x87", 1, fstp qword [ebx - 4]
    mov ebx, spot
    check_data "SSE", 1, movups [ebx - 15], xmm0
    mov ebx, spot
    check_data "SSE before it", 0, movups [ebx - 16], xmm0
    mov ebx, spot
    check_data "FXSAVE", 1, fxsave [ebx - 0x40]
    mov ebx, spot
    check_data "a prefetch", 0, prefetcht0 [ebx]
    mov ebx, spot
    check_data "no access", 0, lea eax, [ebx]

    arm spot, ACCESS_4
    mov ebx, spot
    check_data "read", 1, mov eax, [ebx]
    mov ebx, spot
    check_data "written", 1, mov [ebx], eax
    mov ebx, spot
    check_data "a compare", 1, cmp [ebx + 2], al
    mov ebx, spot
    xor eax, eax
    check_data "XLAT", 1, xlatb
    mov ebx, spot
    check_data "VERR", 1, verr [ebx]
    mov ebx, spot
    check_data "a neighbour on the page", 0, mov eax, [ebx + 0x200]
    mov ebx, spot
    check_data "before it", 0, movzx eax, byte [ebx - 1]

    arm spot + 3, WRITE_2       ; begins at spot + 2
    mov ebx, spot
    check_data "LEN 2, aligned", 1, mov [ebx + 2], al
    mov ebx, spot
    check_data "LEN 2, before it", 0, mov [ebx + 1], al
    arm spot + 5, WRITE_8       ; begins at spot
    mov ebx, spot
    check_data "LEN 8, first", 1, mov [ebx], al
    mov ebx, spot
    check_data "LEN 8, last", 1, mov [ebx + 7], al
    mov ebx, spot
    check_data "LEN 8, behind", 0, mov [ebx + 8], al
    arm spot + 1, WRITE_1
    mov ebx, spot
    check_data "LEN 1", 1, mov [ebx], ax
    mov ebx, spot
    check_data "LEN 1, beside it", 0, mov [ebx], al
    arm spot, WRITE_4 | SECOND_ACCESS_2, spot + 2
    mov ebx, spot
    check_data "both", 3, mov [ebx], eax
    mov ebx, spot
    check_data "the second alone", 2, mov eax, [ebx]
    arm area + 0xFFC, ACCESS_4 | SECOND_ACCESS_2, area + 0x1000
    check_data "over the end of a page", 3, mov eax, [area + 0xFFE]
    check_data "the second page alone", 2, mov eax, [area + 0x1000]
    arm spot, 0
    mov ebx, spot
    check_data "disabled", 0, mov [ebx], eax
    ret

; ---- Stacks: only at CPL 3, where the handler has another one.
stacks:
    arm spot, WRITE_4
    mov eax, spot + 4
    check_stack "PUSH", 1, spot + 4, push eax
    check_stack "PUSH below", 0, spot, push eax
    check_stack "POP", 0, spot, pop eax
    check_stack "POP to memory", 1, other, pop dword [spot]
    check_stack "PUSH imm8", 1, spot + 4, push byte 5
    check_stack "PUSH imm16", 1, spot + 4, push word 5
    check_stack "PUSHFD", 1, spot + 4, pushfd
    check_stack "PUSH CS", 1, spot + 4, push cs
    check_stack "PUSHAD", 1, spot + 16, pushad
    check_stack "PUSHAD behind", 0, spot + 36, pushad
    check_stack "PUSHAD before", 0, spot, pushad
    check_stack "POPAD", 0, spot - 16, popad
    mov ebp, other + 64
    check_stack "ENTER", 1, spot + 4, enter 64, 0
    mov ebp, other + 64
    check_stack "ENTER, its frame pointers", 1, spot + 12, enter 64, 3
    mov ebp, spot
    check_stack "LEAVE", 0, other, leave
    watch_out
    mov esp, spot + 4
    call .called
.called:
    verdict "CALL", 1, .called
    mov dword [other], .called_there
    watch_out
    mov esp, spot + 4
    call [other]
.called_there:
    verdict "CALL through memory", 1, .called_there
    mov dword [far_pointer], .called_far
    mov dword [far_pointer + 4], USER_CODE
    watch_out
    mov esp, spot + 4
    call far [far_pointer]
.called_far:
    verdict "CALL FAR", 1, .called_far
    arm spot, ACCESS_4
    check_stack "POP of what is watched", 1, spot, pop eax
    check_stack "POPAD of what is watched", 1, spot - 28, popad
    mov ebp, spot
    check_stack "LEAVE from what is watched", 1, other, leave
    mov ebp, spot + 4
    check_stack "ENTER copies what is watched", 1, other + 256, enter 4, 2
    arm spot, 0
    pushfd
    pop dword [spot]
    arm spot, ACCESS_4
    check_stack "POPFD", 1, spot, popfd
    ; RET: what it reads is put there with the breakpoint off.
    arm spot, 0
    mov dword [spot], .returned
    arm spot, ACCESS_4
    mov [saved_esp], esp
    mov esp, spot
    ret
.returned:
    mov esp, [saved_esp]
    seen "RET", 1, 1, .returned
    arm spot, 0
    mov dword [spot], .popped
    arm spot, ACCESS_4
    mov [saved_esp], esp
    mov esp, spot
    ret 16
.popped:
    mov esp, [saved_esp]
    seen "RET imm16", 1, 1, .popped
    arm spot, 0
    mov dword [spot], .jumped
    arm spot, ACCESS_4
    jmp [spot]
.jumped:
    seen "JMP through memory", 1, 1, .jumped
    arm spot, 0
    ret

; ---- Repeated instructions: a trap behind each element that meets one.
strings:
    cld
    arm spot, WRITE_4
    mov esi, other
    mov edi, spot - 8
    mov ecx, 16
.movs:
    rep movsb
    seen "REP MOVSB", 4, 1, .movs
    same "REP MOVSB: ECX", [seen_ecx], 4
    mov eax, [seen_eflags]
    and eax, RF
    same "REP MOVSB: RF", eax, RF
    same "REP MOVSB: at its end", ecx, 0
    arm spot, WRITE_4
    mov edi, spot - 8
    mov ecx, 3
    rep stosd
.stos:
    seen "REP STOSD, its last", 1, 1, .stos
    mov eax, [seen_eflags]
    and eax, RF
    same "REP STOSD, its last: RF", eax, 0
    arm spot, WRITE_4
    mov edi, spot - 4
    xor ecx, ecx
    rep stosd
    mov edi, spot
    rep stosd
    seen "REP of nothing", 0, 0
    arm spot, ACCESS_4
    mov esi, spot - 4
    mov ecx, 4
.lods:
    rep lodsd
    seen "REP LODSD", 1, 1, .lods
    same "REP LODSD: ECX", [seen_ecx], 2
    arm spot, 0
    mov edi, spot - 4
    mov ecx, 2
    mov eax, 0x01020304
    rep stosd
    mov dword [spot + 4], 0
    arm spot, ACCESS_1
    mov edi, spot - 4
    mov ecx, 9
    mov eax, 0x01020304
    repe scasd                  ; ends at the third
.scas:
    mov [sum], ecx
    seen "REPE SCASD", 1, 1, .scas - 2
    same "REPE SCASD: ECX", [sum], 6
    std
    arm spot, WRITE_4
    mov edi, spot + 8
    mov ecx, 3
    rep stosd
.down:
    cld
    seen "down", 1, 1, .down
    arm spot, 0
    mov edi, area
    mov esi, other
    mov ecx, 1024
    rep movsd
    seen "none armed", 0, 0
    ret

; ---- Execution breakpoints.
executed:
    mov ecx, 3000               ; hot before it is armed
    call hot
    arm hot.spot, EXECUTE
    mov ecx, 5
    call hot
    mov [sum], eax
    seen "in a loop", 5, 1, hot.spot
    same "in a loop: sum", [sum], 15
    mov eax, [seen_eflags]
    and eax, RF
    same "a fault: RF", eax, 0
    arm hot.spot, 0
    mov ecx, 3000
    call hot
    seen "off again", 0, 0
    arm hot.spot, EXECUTE
    mov ecx, 2
    call hot
    seen "on again", 2, 1, hot.spot
    arm hot.end, EXECUTE | SECOND_EXECUTE, hot.spot
    mov ecx, 2
    call hot
    seen "two", 3, 3, hot.end
    arm hot.spot + 1, EXECUTE
    mov ecx, 2
    call hot
    seen "inside an instruction", 0, 0
    mov ecx, 2000
.calls:
    push ecx
    mov eax, hot.end
    call eax
    pop ecx
    loop .calls
    arm hot.end, EXECUTE
    mov eax, hot.end
    call eax
    call hot.end
    push dword .back
    push dword hot.end
    ret
.back:
    seen "reached by CALL, CALL EAX and RET", 3, 1, hot.end
    arm .after_call, EXECUTE
    call hot.end
.after_call:
    nop
    seen "where a call returns to", 1, 1, .after_call
    mov edi, area
    mov esi, other
    arm .movs, EXECUTE
    mov ecx, 3000
.movs:
    rep movsb
    seen "a repeated instruction, once", 1, 1, .movs
    same "a repeated instruction: ECX", [seen_ecx], 3000
    arm spot, WRITE_4 | SECOND_EXECUTE, .stored
    mov [spot], eax
.stored:
    nop
    seen "a trap, then a fault", 2, 3, .stored
    arm spot, 0
    ret

; ECX rounds, at least one; adds the counts up in EAX.
hot:
    xor eax, eax
.next:
    add eax, ecx
.spot:
    test eax, eax
    loop .next
.end:
    ret

; ---- The shadows of MOV SS and STI. CPL 0.
shadows:
    arm .nop, EXECUTE
    mov eax, ss
    mov ss, eax
.nop:
    nop
    seen "in the shadow of MOV SS", 0, 0
    arm .sti_nop, EXECUTE
    sti
.sti_nop:
    nop
    cli
    seen "behind STI", 1, 1, .sti_nop
    arm spot, 0
    mov eax, ss
    mov [spot], eax
    arm spot, ACCESS_4
    mov ss, [spot]
    nop
.held:
    nop
    seen "read by MOV SS", 1, 1, .held
    arm spot, 0
    ret

; ---- With TF. CPL 0.
stepping:
    arm spot, WRITE_4
    pushfd
    or dword [esp], TF
    popfd
    mov [spot], eax             ; one trap for both
.both:
    pushfd
    and dword [esp], ~TF
    popfd
.end:
    seen "TF", 4, 0x4001, .end
    arm spot, WRITE_4
    mov edi, spot - 8
    mov ecx, 4
    pushfd
    or dword [esp], TF
    popfd
    rep stosd
    pushfd
    and dword [esp], ~TF
    popfd
.off:
    seen "TF, each element", 4 + 3, 0x4001, .off
    arm spot, 0
    ret

; ---- Ports. CPL 0.
ports:
    mov eax, cr4
    or eax, CR4_DE
    mov cr4, eax
    arm DEBUG_PORT, PORT_1
    out DEBUG_PORT, al
.out:
    seen "OUT", 1, 1, .out
    arm DEBUG_PORT, PORT_1
    mov edx, DEBUG_PORT - 1
    in ax, dx
.in:
    seen "IN, two ports", 1, 1, .in
    arm DEBUG_PORT, PORT_1
    in al, DEBUG_PORT + 1
    in al, DEBUG_PORT - 1
    mov [DEBUG_PORT], al        ; memory at the same number
    seen "others", 0, 0
    arm DEBUG_PORT, PORT_1
    mov esi, other
    mov edx, DEBUG_PORT
    mov ecx, 3
    rep outsb
.outs:
    seen "REP OUTSB", 3, 1, .outs
    arm spot, WRITE_4
    mov edi, spot - 2
    mov edx, DEBUG_PORT
    mov ecx, 4
    rep insb
.ins:
    seen "REP INSB", 2, 1, .ins
    mov eax, cr4
    and eax, ~CR4_DE
    mov cr4, eax
    arm spot, 0
    ret

; ---- The page of the stack is watched, but nothing meets the breakpoint: what is emulated must work as ever. CPL 0.
elsewhere:
    mov [saved_esp], esp
    mov esp, area + 0x800
    arm spot, ACCESS_4
    pushfd
    pop eax
    and eax, 0x3FD7FF & ~0x8D5
    same "PUSHFD on a watched page", eax, 0x2
    push cs
    pop eax
    same "PUSH CS on a watched page", eax, KERNEL_CODE
    sti
    pushfd
    cli
    test dword [esp], 0x200
    setnz al
    movzx eax, al
    same "IF on a watched page", eax, 1
    std
    popfd
    pushfd
    pop eax
    cli
    and eax, 0x600
    same "POPFD on a watched page", eax, 0x200
    mov ecx, 1000
    call hot
    same "CALL on a watched page", eax, 500500
    push dword 0x1234
    push cs
    push dword .popped
    retf 4
.popped:
    cmp esp, area + 0x800
    sete al
    movzx eax, al
    same "RETF on a watched page", eax, 1
    mov esp, [saved_esp]
    mov ecx, 500000             ; at full speed
    call hot
    seen "elsewhere", 0, 0
    arm spot, 0
    ret

; ---- Another linear address of the same page is not watched; and what lies in the monitor's zone is. Paging on.
aliases:
    arm 0xFF900100, ACCESS_4
    mov ebx, 0xFF900100
    check_data "below the zone", 1, mov [ebx], eax
    mov ebx, alias(0xFF900100)
    mov ecx, 0x600DF00D
    check_data "its alias", 0, mov [ebx], ecx
    mov ebx, 0xFF900100
    check_data "what the alias wrote", 1, mov ecx, [ebx]
    same "read behind a breakpoint", ecx, 0x600DF00D
    arm 0xFFD00100, WRITE_4
    mov ebx, 0xFFD00100
    check_data "in the zone", 1, mov [ebx], eax
    mov ebx, 0xFFD00100
    check_data "a read in the zone", 0, mov eax, [ebx]
    arm spot, 0
    ret
