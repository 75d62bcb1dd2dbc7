; SPDX-License-Identifier: MIT
; Copyright (c) 2026 The RingOne authors
;
; A multiboot kernel without a file format that does what the first letter of its command line says:
;   x  ends with debug-exit code 42         p  powers off          r  resets
;   h  halts with interrupts off            t  triple fault
;   n  prints 20000 numbered lines, ends    f  prints such lines for ever
;   e  echoes its input, ends with 5 at a 'q'
;   l  says "looping", loops for ever       z  says "looping", halts for ever with interrupts on
bits 32
org 0x100000

COM1        equ 0x3F8
LINE_STATUS equ COM1 + 5
DEBUG_EXIT  equ 0xF4
PM1_CONTROL equ 0xB004
SOFT_OFF    equ 0x2000 | 5 << 10
RESET       equ 0xCF9
LINES       equ 20000

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
    lidt [idt_register]
    mov eax, nothing                ; an interrupt gate for each vector of the PIC that could come
    mov edi, idt
    mov ecx, 256
.gate:
    mov [edi], ax
    mov word [edi + 2], 0x10
    mov word [edi + 4], 0x8E00
    mov edx, eax
    shr edx, 16
    mov [edi + 6], dx
    add edi, 8
    loop .gate
    mov esi, looping
    call print
    sti
.again:
    hlt
    jmp .again
nothing:
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
    mov dx, LINE_STATUS
    in al, dx
    test al, 1
    jz .again
    mov dx, COM1
    in al, dx
    cmp al, 'q'
    je .end
    call put
    jmp .again
.end:
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
