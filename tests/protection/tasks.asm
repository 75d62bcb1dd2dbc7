; SPDX-License-Identifier: MIT
; Copyright (c) 2026 The RingOne authors
;
; Faults of the kernel's own stack, and hardware tasks. #PF enters a task of its own, so that each instruction that uses the
; stack can fault at CPL 0: the interrupted task's TSS says whether anything has changed. Then a double fault through its
; task gate, and tasks that call each other (SDM Vol. 3, chapter 8).
    %include "guest.inc"
    %include "registers.inc"

PAGES equ 0x01000000
BELOW equ PAGES                 ; writable
ABSENT equ PAGES + 0x1000
ABOVE equ PAGES + 0x2000        ; writable
READ_ONLY equ PAGES + 0x3000
W equ 2
P equ 1
ROUNDS equ 12

FAULT_TASK equ FREE_SELECTOR
OTHER_TASK equ FREE_SELECTOR + 8
OTHER_GATE equ FREE_SELECTOR + 16 + 3
TSS_CR3 equ 28
TSS_EIP equ 32
TSS_EFLAGS equ 36
TSS_EAX equ 40
TSS_ECX equ 44
TSS_EDX equ 48
TSS_EBX equ 52
TSS_ESP equ 56
TSS_EBP equ 60
TSS_ESI equ 64
TSS_EDI equ 68
TSS_SELECTORS equ 72            ; ES, CS, SS, DS, FS, GS
NT equ 0x4000

    section .text
guest_main:
    call map
    call set_tasks
    mov dword [idt + PF * 8], FAULT_TASK << 16
    mov dword [idt + PF * 8 + 4], 0x8500
    mov dword [round], ROUNDS
.round:
    call kernel_faults
    dec dword [round]
    jnz .round
    call double_fault
    call calls
    mov eax, cr0
    and eax, 0x7FFFFFFF
    mov cr0, eax
    ret

map:
    mov ecx, 4
    xor edx, edx
    mov eax, 0x87
.identity:
    mov [page_directory + edx * 4], eax
    add eax, 0x400000
    inc edx
    loop .identity
    mov dword [page_table], frames + 3
    mov dword [page_table + 8], frames + 0x1003
    mov dword [page_table + 12], frames + 0x2001
    mov dword [page_directory + (PAGES >> 22) * 4], page_table + 7
    mov eax, cr4
    or eax, 0x10
    mov cr4, eax
    mov eax, page_directory
    mov cr3, eax
    mov eax, cr0
    or eax, 0x80010000
    mov cr0, eax
    ret

%macro set_tss 3                ; selector, TSS, entry
    set_descriptor %1, 0, 103, 0x89, 0
    mov eax, %2                 ; (an address is no constant to the assembler)
    mov [gdt + %1 + 2], ax
    shr eax, 16
    mov [gdt + %1 + 4], al
    mov [gdt + %1 + 7], ah
    mov edi, %2
    mov edx, %3
    call fill_tss
%endmacro

set_tasks:
    mov dword [tss + TSS_CR3], page_directory   ; a switch away does not save it
    set_tss FAULT_TASK, fault_tss, fault_task
    mov dword [fault_tss + TSS_ESP], fault_stack_top
    set_tss DOUBLE_FAULT_TASK, double_tss, double_task
    mov dword [double_tss + TSS_ESP], double_stack_top
    set_tss OTHER_TASK, other_tss, other_task
    mov dword [other_tss + TSS_ESP], other_stack_top
    mov dword [gdt + (OTHER_GATE & ~7)], OTHER_TASK << 16
    mov dword [gdt + (OTHER_GATE & ~7) + 4], 0xE500 ; DPL 3
    mov dword [idt + DF * 8], DOUBLE_FAULT_TASK << 16
    mov dword [idt + DF * 8 + 4], 0x8500
    ret

fill_tss:                       ; EDI: TSS, EDX: entry
    push edi
    xor eax, eax
    mov ecx, 26
    rep stosd
    pop edi
    mov dword [edi + TSS_CR3], page_directory
    mov [edi + TSS_EIP], edx
    mov dword [edi + TSS_EFLAGS], 2
    lea edi, [edi + TSS_SELECTORS]
    mov eax, KERNEL_DATA
    mov ecx, 6
    rep stosd
    mov dword [edi - 20], KERNEL_CODE
    mov word [edi + 8 + 2], 104 ; no I/O bitmap
    ret

; The task that was interrupted: what it is to have been, and where it goes on.
fault_task:
    pop dword [task_error]
    mov eax, cr2
    mov [last_cr2], eax
    movzx eax, word [fault_tss]
    same "back link of the fault's task", eax, TASK
    pushfd
    pop eax
    and eax, NT
    same "NT in the fault's task", eax, NT
    call judge
    iretd
    jmp fault_task

judge:
    mov eax, [tss + TSS_EAX]
    mov [last_eax], eax
    mov eax, [tss + TSS_ECX]
    mov [last_ecx], eax
    mov eax, [tss + TSS_EDX]
    mov [last_edx], eax
    mov eax, [tss + TSS_EBX]
    mov [last_ebx], eax
    mov eax, [tss + TSS_ESP]
    mov [last_esp], eax
    mov eax, [tss + TSS_EBP]
    mov [last_ebp], eax
    mov eax, [tss + TSS_ESI]
    mov [last_esi], eax
    mov eax, [tss + TSS_EDI]
    mov [last_edi], eax
    mov eax, [tss + TSS_EFLAGS]
    mov [last_eflags], eax
    mov edx, [expected_name]
    call check_unchanged
    push dword [expected_error]
    push dword [task_error]
    push dword [expected_name]
    call check_same
    add esp, 12
    push dword [expected_eip]
    push dword [tss + TSS_EIP]
    push dword [expected_name]
    call check_same
    add esp, 12
    mov eax, [expected_resume]
    mov [tss + TSS_EIP], eax
    mov eax, [expected_esp]
    mov [tss + TSS_ESP], eax
    mov dword [tss + TSS_EFLAGS], 2
    ret

; ESP and CR2 as given, all else known; it must fault at CPL 0.
%macro faults_on_stack 5+       ; name, error, ESP, CR2, instruction
    %push
    begin_attempt %1, PF, %2
    mov dword [expected_eip], %$at
    mov dword [esp_wanted], %3
    mov dword [cr2_wanted], %4
    call known_registers
    mov esp, [esp_wanted]
    at
    %5
    mov esp, [expected_esp]
    same %1, [task_error], 0x0BADC0DE   ; it did not fault
    %$resume:
    %pop
%endmacro

%macro faults_on_stack_named 6+ ; the same with a name in two parts
    %push
    %strcat %$both %1, " ", %2
    faults_on_stack %$both, %3, %4, %5, %6
    %pop
%endmacro

%macro faults 4+                ; name, error, CR2, instruction: on the kernel's own stack
    %push
    begin_attempt %1, PF, %2
    mov dword [expected_eip], %$at
    mov [esp_wanted], esp
    mov dword [cr2_wanted], %3
    call known_registers
    at
    %4
    mov esp, [expected_esp]
    same %1, [task_error], 0x0BADC0DE
    %$resume:
    %pop
%endmacro

; The first part of it that is touched may be any.
%macro any_part 0
    mov dword [cr2_bits], ~0xFFF
%endmacro

%macro pushes_fault 4           ; name, error, ESP, CR2 of a doubleword
    faults_on_stack_named "push r", %1, %2, %3, %4, push eax
    faults_on_stack_named "push imm", %1, %2, %3, %4, push 1
    faults_on_stack_named "push m", %1, %2, %3, %4, push dword [round]
    faults_on_stack_named "push es", %1, %2, %3, %4, push es
    faults_on_stack_named "push cs", %1, %2, %3, %4, push cs
    faults_on_stack_named "pushfd", %1, %2, %3, %4, pushfd
    faults_on_stack_named "call", %1, %2, %3, %4, call guest_main
    faults_on_stack_named "call r", %1, %2, %3, %4, call ebx
    faults_on_stack_named "call m", %1, %2, %3, %4, call [pointer]
    faults_on_stack_named "call far", %1, %2, %3, %4, call KERNEL_CODE:guest_main
    faults_on_stack_named "enter", %1, %2, %3, %4, enter 8, 0
    any_part
    faults_on_stack_named "pushad", %1, %2, %3, %4, pushad
    any_part
    faults_on_stack_named "int n", %1, %2, %3, %4, int INT_DONE
%endmacro

%macro pops_fault 4             ; name, error, ESP, CR2
    faults_on_stack_named "pop r", %1, %2, %3, %4, pop eax
    faults_on_stack_named "pop esp", %1, %2, %3, %4, pop esp
    faults_on_stack_named "pop m", %1, %2, %3, %4, pop dword [unused]
    faults_on_stack_named "pop es", %1, %2, %3, %4, pop es
    faults_on_stack_named "pop ss", %1, %2, %3, %4, pop ss
    faults_on_stack_named "popfd", %1, %2, %3, %4, popfd
    faults_on_stack_named "ret", %1, %2, %3, %4, ret
    faults_on_stack_named "ret n", %1, %2, %3, %4, ret 12
    any_part
    faults_on_stack_named "popad", %1, %2, %3, %4, popad
    any_part
    faults_on_stack_named "retf", %1, %2, %3, %4, retf
    any_part
    faults_on_stack_named "iretd", %1, %2, %3, %4, iretd
%endmacro

kernel_faults:
    mov dword [place], ABSENT + 0x100
    pushes_fault "into an absent page", W, ABSENT + 0x800, ABSENT + 0x7FC
    pushes_fault "to the end of an absent page", W, ABOVE, ABOVE - 4
    pushes_fault "into and out of an absent page", W, ABOVE + 2, ABOVE - 2
    pushes_fault "into a read-only page", W + P, READ_ONLY + 0x800, READ_ONLY + 0x7FC
    pushes_fault "across the border of a read-only page", W + P, READ_ONLY + 2, READ_ONLY
    pops_fault "from an absent page", 0, ABSENT, ABSENT
    pops_fault "from the border of an absent page", 0, ABSENT - 2, ABSENT
    ; More than one part, and it is not the first that faults.
    any_part
    faults_on_stack "pushad, its third", W, ABOVE + 8, ABOVE - 4, pushad
    mov eax, [place]            ; POPAD is restarted: what it has loaded by then is loaded (seen on CPUs and in QEMU)
    mov [ABSENT - 8], eax
    mov [ABSENT - 4], eax
    any_part
    faults_on_stack "popad, its third", 0, ABSENT - 8, ABSENT, popad
    any_part
    faults_on_stack "iretd, its second", 0, ABSENT - 4, ABSENT, iretd
    any_part
    faults_on_stack "retf, its second", 0, ABSENT - 4, ABSENT, retf
    any_part
    faults_on_stack "call far, its second", W, ABOVE + 4, ABOVE - 4, call KERNEL_CODE:guest_main
    any_part
    faults_on_stack "int n, its third", W, ABOVE + 8, ABOVE - 4, int INT_DONE
    faults_on_stack "enter reads its frame pointers", 0, ABOVE + 0x800, KNOWN_EBP - 4, enter 8, 2
    any_part
    faults_on_stack "enter copies a frame pointer", W, ABOVE + 4, ABOVE - 4, enter 8, 1
    any_part
    faults_on_stack "enter ends in an absent page", W, ABOVE + 0x10, ABOVE - 4, enter 0x20, 0
    faults_on_stack "leave", 0, ABOVE + 0x800, KNOWN_EBP, leave
    faults_on_stack "push esp", W, ABSENT + 0x800, ABSENT + 0x7FC, push esp
    faults_on_stack "push [esp]", W + P, READ_ONLY + 0x800, READ_ONLY + 0x7FC, push dword [esp]
    faults_on_stack "pop [esp]", W, ABSENT - 4, ABSENT, pop dword [esp]
    faults_on_stack "pop [esp - 4]", W + P, READ_ONLY + 0x800, READ_ONLY + 0x800, pop dword [esp - 4]
    faults_on_stack "xchg r, [esp]", W + P, READ_ONLY + 0x800, READ_ONLY + 0x800, xchg eax, [esp]
    faults_on_stack "add [esp], r", W + P, READ_ONLY + 0x800, READ_ONLY + 0x800, add [esp], eax

    faults "pop m", W, ABSENT + 0x100, pop dword [ebx]
    faults "push m", 0, ABSENT + 0x100, push dword [ebx]
    faults "call m", 0, ABSENT + 0x100, call [ebx]
    faults "jmp m", 0, ABSENT + 0x100, jmp [ebx]
    faults "xchg m, r", W, ABSENT + 0x100, xchg [ebx], eax
    faults "lock xadd m, r", W, ABSENT + 0x100, lock xadd [ebx], eax
    faults "cmpxchg m, r", W, ABSENT + 0x100, cmpxchg [ebx], ecx
    faults "adc m, r", W, ABSENT + 0x100, adc [ebx], eax
    faults "rcl m, 1", W, ABSENT + 0x100, rcl dword [ebx], 1
    faults "mov es, m", 0, ABSENT + 0x100, mov es, [ebx]
    faults "rep movsd", 0, ABSENT + 0x100, rep movsd
    faults "rep stosd", W, ABSENT + 0x100, rep stosd
    clts                        ; the task switches have set TS
    any_part
    faults "fnsave", W, ABSENT + 0x100, fnsave [ebx]
    ret

; A push that faults where #PF's frame has no room either.
double_fault:
    mov eax, vector_stubs + PF * STUB_BYTES
    movzx edx, ax
    or edx, KERNEL_CODE << 16
    mov [idt + PF * 8], edx
    mov ax, 0x8E00
    mov [idt + PF * 8 + 4], eax
    any_part
    mov dword [place], ABSENT + 0x100
    faults_on_stack "double fault by a push", 0, ABSENT + 0x800, ABSENT + 0x7F0, push eax
    any_part
    faults_on_stack "double fault by a call", 0, ABSENT + 0x800, ABSENT + 0x7F0, call guest_main
    any_part
    faults_on_stack "double fault by INT n", 0, ABSENT + 0x800, ABSENT + 0x7F0, int INT_DONE
    any_part
    faults_on_stack "double fault on a read-only page", 0, READ_ONLY + 0x800, READ_ONLY + 0x7F0, pushfd
    any_part
    faults_on_stack "double fault by an access on a bad stack", 0, ABSENT + 0x800, ABSENT + 0x7F0, mov eax, [ebx]
    mov eax, [gdt + DOUBLE_FAULT_TASK + 4]
    and eax, 0xF00
    same "the double fault's task is not busy", eax, 0x900
    mov eax, [gdt + TASK + 4]
    and eax, 0xF00
    same "the interrupted task is busy again", eax, 0xB00
    ret

double_task:
    pop dword [task_error]
    mov eax, cr2
    mov [last_cr2], eax
    movzx eax, word [double_tss]
    same "back link of the double fault's task", eax, TASK
    mov eax, [gdt + DOUBLE_FAULT_TASK + 4]
    and eax, 0xF00
    same "the double fault's task is busy", eax, 0xB00
    call judge
    iretd
    jmp double_task

; Tasks that are called, by TSS and through a gate, at CPL 0 and 3.
%macro calls_task 2+            ; name, instruction
    mov dword [other_runs], 0
    mov dword [place], 0x12345678
    survive %1
    mov [esp_wanted], esp
    call known_registers
    %2
    done
    check_unchanged_as %1
    same %1, [other_runs], 1
%endmacro

calls:
    calls_task "call to a TSS", call OTHER_TASK:0
    calls_task "call to a task gate", call OTHER_GATE:0
    calls_task "call to a TSS through memory", call far [far_task]
    mov dword [idt + 0x60 * 8], OTHER_TASK << 16
    mov dword [idt + 0x60 * 8 + 4], 0xE500
    calls_task "INT n to a task gate", int 0x60
    enter_user
    calls_task "call to a task gate by a user", call OTHER_GATE:0
    calls_task "INT n to a task gate by a user", int 0x60
    attempt "call to the kernel's TSS by a user", GP, OTHER_TASK
    at
    call OTHER_TASK:0
    done
    leave_user
    attempt "call to a busy task", GP, TASK
    at
    call TASK:0
    done
    mov dword [other_runs], 0
    survive "jump to a task, which jumps back"
    mov dword [jumps], 1
    jmp OTHER_TASK:0
    done
    same "jump to a task", [other_runs], 1
    mov eax, [gdt + OTHER_TASK + 4]
    and eax, 0xF00
    same "the other task is not busy", eax, 0x900
    ret

other_task:
    inc dword [other_runs]
    mov eax, 0x0BAD0BAD         ; none of these are its caller's
    mov ecx, eax
    mov edx, eax
    mov ebx, eax
    mov ebp, eax
    mov esi, eax
    mov edi, eax
    add eax, eax
    cmp dword [jumps], 0
    jne .jump
    iretd
    jmp other_task
.jump:
    jmp TASK:0
    jmp other_task

    section .data
    align 4
round: dd 0
unused: dd 0
task_error: dd 0
jumps: dd 0
other_runs: dd 0
pointer: dd guest_main
far_task: dd 0
    dw OTHER_TASK
    section .bss
    alignb 4096
page_directory: resb 4096
page_table: resb 4096
frames: resb 3 * 4096
fault_tss: resb 128
double_tss: resb 128
other_tss: resb 128
    resb 4096
fault_stack_top:
    resb 4096
double_stack_top:
    resb 4096
other_stack_top:
