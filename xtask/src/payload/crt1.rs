//! The first instructions of an illumos program, for a link without an illumos sysroot.
//!
//! Not a module of this crate: the linker has it compiled for the target and puts it first. Written from the amd64
//! psABI ("Process Initialization"): at the entry point the stack holds argc, the arguments, a null, the environment and
//! a null; %rdx is zero or a function to register with atexit, which ends the shared libraries.
//!
//! The data is what libc expects a program to hold, and looks for in the program first: the environment, the arguments
//! (`___Argv`), and the standards it asked to be served by. Those are what `cc -std=c99` asks for, which is how the
//! target is linked on illumos itself: `__xpg4` and `__xpg6` (all of C99 and SUSv3), and `_lib_version` (`strict_ansi`).
#![no_std]

core::arch::global_asm!(
    r#"
    .text
    .globl  _start
    .type   _start, @function
_start:
    .cfi_startproc
    .cfi_undefined %rip
    xorl    %ebp, %ebp
    movq    (%rsp), %rbx
    leaq    8(%rsp), %r12
    leaq    16(%rsp,%rbx,8), %r13
    andq    $-16, %rsp
    movq    %r12, ___Argv(%rip)
    movq    %r13, _environ(%rip)
    testq   %rdx, %rdx
    jz      1f
    movq    %rdx, %rdi
    call    *atexit@GOTPCREL(%rip)
1:
    call    *__fpstart@GOTPCREL(%rip)
    movl    %ebx, %edi
    movq    %r12, %rsi
    movq    %r13, %rdx
    call    main
    movl    %eax, %edi
    call    *exit@GOTPCREL(%rip)
    hlt
    .cfi_endproc
    .size   _start, . - _start

    .bss
    .balign 8
    .globl  _environ
    .type   _environ, @object
    .size   _environ, 8
    .weak   environ
    .type   environ, @object
    .size   environ, 8
_environ:
environ:
    .zero   8
    .globl  ___Argv
    .type   ___Argv, @object
    .size   ___Argv, 8
___Argv:
    .zero   8

    .data
    .balign 4
    .globl  __xpg4
    .type   __xpg4, @object
    .size   __xpg4, 4
__xpg4:
    .long   1
    .globl  __xpg6
    .type   __xpg6, @object
    .size   __xpg6, 4
__xpg6:
    .long   0xffff

    .section .rodata,"a",@progbits
    .balign 4
    .globl  _lib_version
    .type   _lib_version, @object
    .size   _lib_version, 4
_lib_version:
    .long   2
    .text
"#,
    options(att_syntax)
);
