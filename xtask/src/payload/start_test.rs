//! A program for a test of `crt1.rs` on Linux: no module of this crate. It has stand-ins for what the start calls.
#![no_std]
#![no_main]

mod crt1;

use core::arch::asm;
use core::sync::atomic::{AtomicBool, Ordering};

static FLOATING_POINT_READY: AtomicBool = AtomicBool::new(false);

unsafe extern "C" {
    static _environ: *const *const i8;
    static environ: *const *const i8;
    static ___Argv: *const *const i8;
    static __xpg4: u32;
    static __xpg6: u32;
    static _lib_version: i32;
}

fn leave(code: u32) -> ! {
    unsafe { asm!("syscall", in("rax") 231, in("rdi") code, options(noreturn)) }
}

macro_rules! require {
    ($holds:expr) => {
        if !$holds {
            leave(line!())
        }
    };
}

/// Compares without a library's help, which is not here.
unsafe fn same(text: *const i8, expected: &[u8]) -> bool {
    let mut bytes = expected.iter().enumerate();
    bytes.all(|(index, byte)| unsafe { text.add(index).read_volatile() as u8 == *byte })
}

#[unsafe(no_mangle)]
extern "C" fn exit(code: i32) -> ! {
    leave(code as u32)
}

/// Linux enters a program with nothing to register: the start must not call this.
#[unsafe(no_mangle)]
extern "C" fn atexit(_: extern "C" fn()) -> i32 {
    leave(line!())
}

#[unsafe(no_mangle)]
extern "C" fn __fpstart() {
    FLOATING_POINT_READY.store(true, Ordering::Relaxed);
}

#[unsafe(no_mangle)]
unsafe extern "C" fn main(argc: i32, argv: *const *const i8, envp: *const *const i8) -> i32 {
    #[repr(align(16))]
    struct Aligned(u8);
    let aligned = Aligned(0);
    let mut place = &raw const aligned.0 as usize;
    unsafe {
        // The compiler takes an aligned stack for granted: it must not work the answer out by itself.
        asm!("/* {0} */", inout(reg) place);
        require!(place % 16 == 0);
        require!(FLOATING_POINT_READY.load(Ordering::Relaxed));
        require!(argc == 3);
        require!(same(*argv.add(1), b"one\0"));
        require!(same(*argv.add(2), b"two words\0"));
        require!((*argv.add(3)).is_null());
        require!(same(*envp, b"A=1\0"));
        require!((*envp.add(1)).is_null());
        require!(_environ == envp && environ == envp);
        require!(___Argv == argv);
        require!(__xpg4 == 1 && __xpg6 == 0xffff && _lib_version == 2);
    }
    42
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo) -> ! {
    leave(line!())
}
