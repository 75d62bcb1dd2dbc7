; SPDX-License-Identifier: MIT
; Copyright (c) 2026 The RingOne authors
;
; Code that changes while it runs, code that is data, and branches to where no code is. A store to code takes effect at
; the next instruction (SDM Vol. 3, 8.1.3 asks for a branch before; every CPU since the Pentium does without), whatever
; linear address or segment it goes through.
    %include "guest.inc"
    %include "paging.inc"

ALIASED equ 0xFF900000          ; below the zone; RAM is at alias(ALIASED)
IN_ZONE equ 0xFFD00000          ; in the zone
UNMAPPED equ 0x40000000
ROUNDS equ 40
BASED equ FREE_SELECTOR + 3     ; data with base 0x10000
SHORT_CODE equ FREE_SELECTOR + 8 ; code with a limit
SHORT_LIMIT equ 0x17FFFF

    section .text
guest_main:
    set_descriptor BASED, 0x10000, 0xFFFFF, 0xF3, 0xC
    set_descriptor SHORT_CODE, 0, SHORT_LIMIT >> 12, 0x9B, 0xC
    call everywhere             ; without paging
    cmp dword [on_qemu], 1      ; TCG checks no limit of a code segment
    je .no_limits
    call over_limit
.no_limits:
    mov eax, 7
    call enable_paging
    call everywhere
    call with_paging
    enter_user
    call everywhere
    call with_paging
    leave_user
    jmp disable_paging

everywhere:
    mov ebx, ROUNDS
.round:
    push ebx
    call stores
    mov ebx, [esp]
    call copies
    mov ebx, [esp]
    call executed_data
    pop ebx
    dec ebx
    jnz .round
    call loops
    ret

; EBX: what is written, below 0x80 and never zero.
stores:
    mov [.block + 1], bl
.block:
    mov al, 0
    movzx eax, al
    same "in the block", eax, ebx

    mov [.next + 1], bl
    jmp short .next
    ud2
.next:
    mov al, 0
    movzx eax, al
    same "in the next block", eax, ebx

    mov eax, BASED
    mov es, eax
    mov [es:.segment + 1 - 0x10000], ebx
.segment:
    mov eax, 0x55555555
    mov edx, ds
    mov es, edx
    same "through another segment", eax, ebx

    mov edx, esp                ; a push onto the next instruction's operand
    mov esp, .pushed + 5
    push ebx
.pushed:
    mov eax, 0x55555555
    mov esp, edx
    same "by a push", eax, ebx

    mov eax, ebx                ; INC EAX or DEC EAX
    and al, 8
    or al, 0x40
    mov [.opcode], al
    xor eax, eax
.opcode:
    nop
    lea edx, [ebx * 2]
    and edx, 16
    shr edx, 3
    neg edx
    inc edx                     ; 1, or -1 where bit 3 of EBX is set
    same "another opcode", eax, edx

    mov dword [.length], 0x90909090 ; four NOPs and a JMP over INC EAX in turn
    xor eax, eax
    test bl, 1
    jz .length
    mov dword [.length], 0x900002EB
    mov byte [.length + 2], 0x40
    mov byte [.length + 3], 0x40
.length:
    nop
    nop
    nop
    nop
    inc eax
    same "another length", eax, 1

    mov byte [across - 1], 0xB8 ; an instruction that goes on in the next page, of which only the rest is new
    mov [across], ebx
    mov byte [across + 4], 0xC3
    call across - 1
    same "across pages", eax, ebx
    ret

copies:
    mov edi, .target
    mov esi, .one
    mov ecx, 2
    test bl, 1
    jz .copy
    mov esi, .other
.copy:
    rep movsd
.target:
    times 8 nop
    mov edx, ebx
    and edx, 1
    inc edx
    same "REP MOVS over what follows", eax, edx

    mov edi, .filled
    mov ecx, ebx
    and ecx, 7
    inc ecx
    mov edx, ecx
    xor ebx, ebx
    mov al, 0x43                ; INC EBX
    rep stosb
    jmp short .filled
.filled:
    times 8 nop
    mov edi, .filled
    mov ecx, 8
    mov al, 0x90
    rep stosb
    same "REP STOS over the next block", ebx, edx
    ret
    align 4
.one:
    mov eax, 1
    times 3 nop
.other:
    mov eax, 2
    times 3 nop

executed_data:
    push dword 0xC3C3C3C3
    lea eax, [ebx + 1]
    push eax
    push dword 0xB8909090       ; NOPs, MOV EAX, imm32, RET
    mov eax, esp
    call eax
    add esp, 12
    lea edx, [ebx + 1]
    same "code on the stack", eax, edx

    xor eax, eax
    call .whole
    same "a whole instruction", eax, 0x90C34040
    xor eax, eax
    call .whole + 1
    same "from its middle", eax, 2
    mov eax, 5
    mov edx, .whole + 2
    call edx
    same "from its middle, indirectly", eax, 6
    ret
.whole:
    db 0xB8, 0x40, 0x40, 0xC3, 0x90 ; MOV EAX, imm32, or INC EAX, INC EAX, RET
    ret

loops:
    mov dword [.constant + 1], 7
    mov ecx, 1000               ; a chained block
    xor edx, edx
.chained:
    call .constant
    add edx, eax
    inc dword [.constant + 1]
    dec ecx
    jnz .chained
    same "in a chained block", edx, 1000 * 7 + 999 * 1000 / 2

    mov dword [.counter], 0     ; data on the page of the code
    mov ecx, 20000
.writes:
    inc dword [.counter]
    add dword [.counter + 4], ecx
    dec ecx
    jnz .writes
    same "data beside code", [.counter], 20000

    mov dword [.itself + 1], 0  ; a loop that changes its own body
    xor eax, eax
    mov ecx, 500
.again:
    inc dword [.itself + 1]
.itself:
    add eax, 0x55555555         ; 05 imm32
    dec ecx
    jnz .again
    same "a loop's own body", eax, 500 * 501 / 2
    ret
.constant:
    mov eax, 7
    ret
    align 4
.counter: dd 0, 0

; CPL 0 without paging: a near branch over the limit faults in the branch, execution that runs over it behind.
over_limit:
    mov byte [SHORT_LIMIT], 0x90
    mov byte [SHORT_LIMIT + 1], 0x90
    mov byte [SHORT_LIMIT - 3], 0xE9 ; its last byte is over the limit

    attempt "JMP over the limit", GP, 0
    jmp SHORT_CODE:.jump
.jump:
    at
    jmp strict near SHORT_LIMIT + 1
    done
    attempt "JMP r over the limit", GP, 0
    mov eax, 0xFFC10000
    jmp SHORT_CODE:.register
.register:
    at
    jmp eax
    done
    attempt "CALL over the limit", GP, 0
    jmp SHORT_CODE:.call
.call:
    at
    call SHORT_LIMIT + 1
    done
    same "CALL over the limit leaves ESP", [last_esp], [expected_esp]
    attempt "RET over the limit", GP, 0
    push dword 0xFFFFFFFF
    jmp SHORT_CODE:.return
.return:
    at
    ret
    done
    attempt "running over the limit", GP, 0
    mov dword [expected_eip], SHORT_LIMIT + 1
    at
    jmp SHORT_CODE:SHORT_LIMIT
    done
    attempt "an instruction across the limit", GP, 0
    mov dword [expected_eip], SHORT_LIMIT - 3
    at
    jmp SHORT_CODE:SHORT_LIMIT - 3
    done
    ret

; A fetch where nothing is mapped: #PF with the target as EIP and CR2.
%macro fetch_attempt 2+         ; target, code
    %push
    %defstr %$t %1
    %strcat %$name "fetch at ", %$t
    attempt %$name, PF, 0
    mov dword [expected_eip], %1
    mov eax, [level]
    mov ecx, eax
    shr ecx, 1
    shl ecx, 2
    mov [expected_error], ecx
    at
    %2
    done
    same %$name, [last_cr2], %1
    %pop
%endmacro

with_paging:
    fetch_attempt UNMAPPED, jmp UNMAPPED
    fetch_attempt UNMAPPED + 0xFFF, call UNMAPPED + 0xFFF
    mov edx, UNMAPPED + 4
    fetch_attempt UNMAPPED + 4, jmp edx
    push dword UNMAPPED + 8
    fetch_attempt UNMAPPED + 8, ret
    pop eax
    fetch_attempt 0xFF7FFFFF, jmp 0xFF7FFFFF
    mov ebx, ROUNDS
.round:
    mov dword [alias(ALIASED)], 0x00B89090
    mov dword [alias(ALIASED) + 4], 0x90000000
    mov byte [alias(ALIASED) + 8], 0xC3
    mov [ALIASED + 3], ebx      ; run by one address, written by the other, and the other way round
    call alias(ALIASED)
    same "through an alias", eax, ebx
    inc ebx
    mov [alias(ALIASED) + 3], ebx
    call ALIASED
    same "run by the alias", eax, ebx
    dec ebx
    mov dword [alias(IN_ZONE)], 0x00B89090
    mov dword [alias(IN_ZONE) + 4], 0x90000000
    mov byte [alias(IN_ZONE) + 8], 0xC3
    mov [IN_ZONE + 3], ebx
    call alias(IN_ZONE)
    same "through an alias in the zone", eax, ebx
    inc ebx
    mov [alias(IN_ZONE) + 3], ebx
    mov edx, IN_ZONE
    call edx
    same "run in the zone", eax, ebx
    call IN_ZONE
    same "run in the zone again", eax, ebx
    sub ebx, 2
    ja .round
    ret

    section .bss
    alignb 4096
    resb 4096
across: resb 4096
