; SPDX-License-Identifier: MIT
; Copyright (c) 2026 The RingOne authors
;
; A multiboot kernel without a file format that does what the first letter of its command line says:
;   x  ends with debug-exit code 42         p  powers off          r  resets
;   h  halts with interrupts off            t  triple fault
;   n  prints 20000 numbered lines, ends    f  prints such lines for ever
;   e  echoes its input, ends with 5 at a 'q'
;   l  says "looping", loops for ever       z  says "looping", halts for ever with interrupts on
;   c  reads its input without a word up to a 'q', ends with 5
;   i  sends 100000 letters by interrupts, halting between them, ends
;   w  echoes its input by interrupts, halting between them, ends with 5 at a 'q'
bits 32
org 0x100000

COM1        equ 0x3F8
LINE_STATUS equ COM1 + 5
INTERRUPT_ENABLE equ COM1 + 1
INTERRUPT_ID     equ COM1 + 2
MODEM_CONTROL    equ COM1 + 4
COM1_VECTOR equ 0x24
DEBUG_EXIT  equ 0xF4
PM1_CONTROL equ 0xB004
SOFT_OFF    equ 0x2000 | 5 << 10
RESET       equ 0xCF9
LINES       equ 20000
LETTERS     equ 100000

header:
    dd 0x1BADB002, 1 << 16, -(0x1BADB002 + (1 << 16))
    dd header, header, 0, bss_end, start

start:
    mov esp, stack_top
    lgdt [gdt_register]
    mov eax, [ebx + 16]             ; the command line
    mov al, [eax]
    mov esi, commands
.search:
    cmp byte [esi], 0
    je .unknown
    cmp al, [esi]
    je .found
    add esi, 5
    jmp .search
.found:
    jmp [esi + 1]
.unknown:
    mov eax, 99
    jmp leave

commands:
    db 'x'
    dd exit_42
    db 'p'
    dd power_off
    db 'r'
    dd reset
    db 'h'
    dd halt
    db 't'
    dd triple_fault
    db 'n'
    dd numbers
    db 'f'
    dd flood
    db 'e'
    dd echo
    db 'l'
    dd loop_for_ever
    db 'z'
    dd sleep
    db 'c'
    dd consume
    db 'i'
    dd send_by_interrupts
    db 'w'
    dd echo_by_interrupts
    db 0

exit_42:
    mov eax, 42
leave:
    mov dx, DEBUG_EXIT
    out dx, eax
    jmp $

power_off:
    mov dx, PM1_CONTROL
    mov ax, SOFT_OFF
    out dx, ax
    jmp $

reset:
    mov dx, RESET
    mov al, 2
    out dx, al
    mov al, 6
    out dx, al
    jmp $

halt:
    cli
    hlt
    jmp halt

triple_fault:
    lidt [no_table]
    ud2

loop_for_ever:
    mov esi, looping
    call print
.again:
    inc eax
    jmp .again

sleep:
    mov esi, looping
    call print
    mov ebp, nothing
    mov bl, 0
sleep_with_interrupts:              ; EBP: COM1's handler, BL: what it wants to know
    lidt [idt_register]
    mov edi, idt
    mov ecx, 256
.gate:
    mov eax, nothing
    cmp ecx, 256 - COM1_VECTOR
    jne .set
    mov eax, ebp
.set:
    mov [edi], ax
    mov word [edi + 2], 0x10
    mov word [edi + 4], 0x8E00      ; an interrupt gate, present
    shr eax, 16
    mov [edi + 6], ax
    add edi, 8
    loop .gate
    mov al, 0x11                    ; 8259A: ICW1 to ICW4, vectors from 0x20 on, then all masked but COM1
    out 0x20, al
    mov al, 0x20
    out 0x21, al
    mov al, 4
    out 0x21, al
    mov al, 1
    out 0x21, al
    mov al, ~(1 << 4) & 0xFF
    out 0x21, al
    mov dx, MODEM_CONTROL
    mov al, 8                       ; OUT2 lets the interrupt through
    out dx, al
    xor ebp, ebp
    mov dx, INTERRUPT_ENABLE
    mov al, bl
    out dx, al
    sti
.again:
    hlt
    jmp .again
nothing:
    iret

send_by_interrupts:
    mov ebp, .sendable
    mov bl, 2                       ; the holding register is empty
    jmp sleep_with_interrupts
.sendable:
    mov dx, INTERRUPT_ID
    in al, dx
    cmp ebp, LETTERS
    je .end
    mov eax, ebp
    xor edx, edx
    mov ecx, 26
    div ecx
    lea eax, [edx + 'A']
    mov dx, COM1
    out dx, al
    inc ebp
    jmp end_of_interrupt
.end:
    xor eax, eax
    jmp leave

echo_by_interrupts:
    mov esi, ready
    call print
    mov ebp, .received
    mov bl, 1                       ; there is data
    jmp sleep_with_interrupts
.received:
    mov dx, LINE_STATUS
    in al, dx
    test al, 1
    jz end_of_interrupt
    mov dx, COM1
    in al, dx
    cmp al, 'q'
    je leave_5
    call put
    jmp .received

end_of_interrupt:
    mov al, 0x20
    out 0x20, al
    iret

numbers:
    xor ebp, ebp
.again:
    call print_number
    inc ebp
    cmp ebp, LINES
    jb .again
    xor eax, eax
    jmp leave

flood:
    xor ebp, ebp
.again:
    call print_number
    inc ebp
    jmp .again

echo:
    mov esi, ready
    call print
.again:
    call get
    call put
    jmp .again

consume:
    call get
    jmp consume

; Waits for a byte and gives it in AL; a 'q' ends the run.
get:
    mov dx, LINE_STATUS
    in al, dx
    test al, 1
    jz get
    mov dx, COM1
    in al, dx
    cmp al, 'q'
    je leave_5
    ret
leave_5:
    mov eax, 5
    jmp leave

; Prints EBP as "line 00001234".
print_number:
    mov esi, line
    call print
    mov ebx, 10000000
    mov eax, ebp
.digit:
    xor edx, edx
    div ebx
    push edx
    add al, '0'
    call put
    mov eax, ebx
    xor edx, edx
    mov ecx, 10
    div ecx
    mov ebx, eax
    pop eax
    test ebx, ebx
    jnz .digit
    mov al, 10
    jmp put

print:
    lodsb
    test al, al
    jz .end
    call put
    jmp print
.end:
    ret

put:
    push edx
    push eax
    mov dx, LINE_STATUS
.wait:
    in al, dx
    test al, 0x20                   ; the holding register is empty
    jz .wait
    mov dx, COM1
    pop eax
    out dx, al
    pop edx
    ret

looping: db "looping", 10, 0
ready:   db "ready", 10, 0
line:    db "line ", 0
align 8
gdt:
    dq 0, 0, 0x00CF9B000000FFFF, 0x00CF93000000FFFF
gdt_register:
    dw 31
    dd gdt
no_table:
    dw 0
    dd 0
idt_register:
    dw 2047
    dd idt

section .bss
align 16
idt:        resb 2048
stack:      resb 4096
stack_top:
bss_end:
