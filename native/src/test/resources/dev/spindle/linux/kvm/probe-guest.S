# SPDX-License-Identifier: Apache-2.0
#
# What KvmProbe runs in a guest: the moves that every 64-bit kernel makes while it boots. Each stage
# ends by writing its number to port 0xf0, so whoever runs this knows how far it came. The class
# ProbeGuest holds the assembled bytes; a test compares them with what the assembler makes of this
# file. To change it: gcc -c, ld -Ttext=0xffffffff80010000, objcopy -O binary -j .text, xxd -p.
#
# Linked at 0xffffffff80010000 (guest-physical 0x10000). ProbeGuest lays out the rest of memory.

        .set    STAGE_PORT, 0xf0
        .set    LOOPS, 5000000
        .set    GDT_POINTER, 0xffffffff80007f00
        .set    IDT_POINTER, 0xffffffff80007f10
        .set    LATE_PAGE, 0x600000
        .set    LATE_ENTRY, 0xffffffff80006000  # the page-table entry that maps LATE_PAGE
        .set    LATE_FRAME, 0x20000
        .set    USER_CODE, 0x410000             # where ring 3 sees these bytes
        .set    LAPIC, 0xfee00000

        .macro  stage number
        mov     $\number, %al
        out     %al, $STAGE_PORT
        .endm

        .code64
        .text
        .globl  _start
_start:
        # 1: a kernel's address, and a port.
        stage   1

        # 2: own descriptor tables, a far return, an exception and back.
        lgdt    GDT_POINTER
        lidt    IDT_POINTER
        push    $8
        lea     1f(%rip), %rax
        push    %rax
        lretq
1:      mov     $16, %eax
        mov     %eax, %ds
        mov     %eax, %es
        mov     %eax, %ss
        xor     %ebx, %ebx
        int3
        mov     %ebx, %eax
        out     %al, $STAGE_PORT

        # 3: a page fault that the guest itself repairs.
        movl    $0x5a5a5a5a, LATE_PAGE
        cmpl    $0x5a5a5a5a, LATE_PAGE
        jne     unexpected
        stage   3

        # 4: to ring 3 by SYSRET and back by SYSCALL.
        mov     $0xc0000080, %ecx       # EFER: SCE
        rdmsr
        or      $1, %eax
        wrmsr
        mov     $0xc0000081, %ecx       # STAR: kernel segments from 0x08, user segments from 0x18
        xor     %eax, %eax
        mov     $0x00180008, %edx
        wrmsr
        mov     $0xc0000082, %ecx       # LSTAR
        lea     system_call(%rip), %rax
        mov     %rax, %rdx
        shr     $32, %rdx
        wrmsr
        mov     $USER_CODE + (user - _start), %ecx
        mov     $2, %r11d
        sysretq

user:
        mov     %cs, %eax
        syscall

system_call:
        and     $3, %eax
        cmp     $3, %eax
        jne     unexpected
        stage   4

        # 5: sleep until the local APIC's timer wakes.
        mov     $LAPIC, %edi
        movl    $0x1ff, 0xf0(%rdi)      # on
        movl    $0xb, 0x3e0(%rdi)       # divide by one
        movl    $0x40, 0x320(%rdi)      # vector 0x40, once
        movl    $100000, 0x380(%rdi)
        xor     %ebx, %ebx
        sti
        hlt
        cli
        mov     %ebx, %eax
        out     %al, $STAGE_PORT

        # 6: plain instructions, many of them, which take no time unless each is emulated.
        mov     $LOOPS, %ecx
2:      dec     %ecx
        jnz     2b
        stage   6
3:      hlt
        jmp     3b

        .org    0x100
breakpoint:
        mov     $2, %ebx
        iretq

        .org    0x110
page_fault:
        movq    $LATE_FRAME + 3, LATE_ENTRY
        add     $8, %rsp                # the error code
        iretq

        .org    0x130
timer:
        mov     $5, %ebx
        movl    $0, 0xb0(%rdi)          # end of interrupt
        iretq

        .org    0x150
unexpected:
        stage   0xee
4:      hlt
        jmp     4b
