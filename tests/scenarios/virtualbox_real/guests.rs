//! Guests of a few bytes each: boot sectors, 16-bit code that the BIOS loads from a floppy to 0x7c00 and jumps to.
//!
//! None knows ACPI as a system does. They poll the registers of VirtualBox's power management, which are at fixed ports:
//! PM1a_STS, whose bits 8 and 9 tell that the power or the sleep button was pressed (a one written back clears it), and
//! PM1a_CNT, which takes a sleep type (bits 10 to 12) and the order to go to that sleep (bit 13).

use std::fs;
use std::io;
use std::path::Path;

/// What a guest does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Guest {
    /// Switches the power off when the power button is pressed.
    Obedient,
    /// Obeys nothing.
    Deaf,
    /// Counts its age in the register CX, 18 a second, says a dot on the first serial port each time, and obeys the power
    /// button.
    Talking,
    /// Faults beyond repair when the power button is pressed: VirtualBox's guru meditation.
    Fragile,
    /// Goes to sleep when the sleep button is pressed.
    Sleepy,
}

/// Interrupts on; read PM1a_STS.
const READ_STATUS: &[u8] = &[
    0xfb, // sti
    0xba, 0x00, 0x40, // mov dx, 0x4000 (PM1a_STS)
    0xed, // in ax, dx
];
/// Wait for the next tick of the timer, 18 a second.
const HALT: u8 = 0xf4; // hlt
/// A jump by a signed byte, counted from the byte behind it.
const JUMP: u8 = 0xeb; // jmp

/// `test ah, 1`: the power button, bit 8 of the status.
const POWER_BUTTON: &[u8] = &[0xf6, 0xc4, 0x01];
/// `test ah, 2`: the sleep button, bit 9.
const SLEEP_BUTTON: &[u8] = &[0xf6, 0xc4, 0x02];

/// Soft off is sleep type 5 here.
const SWITCH_OFF: &[u8] = &[
    0xba, 0x04, 0x40, // mov dx, 0x4004 (PM1a_CNT)
    0xb8, 0x00, 0x34, // mov ax, 5 << 10 | 1 << 13
    0xef, // out dx, ax
];
/// The lightest sleep is type 1; VirtualBox powers a VM off that goes to it. The button's bit is cleared first, so that it sleeps once for each press.
const GO_TO_SLEEP: &[u8] = &[
    0xb8, 0x00, 0x02, // mov ax, 1 << 9
    0xef, // out dx, ax (PM1a_STS)
    0xba, 0x04, 0x40, // mov dx, 0x4004 (PM1a_CNT)
    0xb8, 0x00, 0x24, // mov ax, 1 << 10 | 1 << 13
    0xef, // out dx, ax
];
/// An interrupt without an interrupt table faults, so does the fault's own handling, and so does that: a triple fault.
/// The table register is loaded from the end of the sector, which holds nothing but zeros.
const FAULT: &[u8] = &[
    0xfa, // cli
    0x2e, 0x0f, 0x01, 0x1e, 0xf0, 0x7d, // lidt cs:[0x7df0]
    0xcc, // int3
];
const BE_BORN: &[u8] = &[
    0x31, 0xc9, // xor cx, cx
];
const AGE_AND_TALK: &[u8] = &[
    0x41, // inc cx
    0xba, 0xf8, 0x03, // mov dx, 0x3f8 (COM1)
    0xb0, b'.', // mov al, '.'
    0xee, // out dx, al
];

const SECTOR: usize = 512;
/// A 3.5 inch floppy.
const FLOPPY: usize = 2880 * SECTOR;

impl Guest {
    fn code(self) -> Vec<u8> {
        match self {
            Guest::Obedient => on_button(&[], &[], POWER_BUTTON, SWITCH_OFF),
            Guest::Deaf => on_button(&[], &[], &[], &[]),
            Guest::Talking => on_button(BE_BORN, AGE_AND_TALK, POWER_BUTTON, SWITCH_OFF),
            Guest::Fragile => on_button(&[], &[], POWER_BUTTON, FAULT),
            Guest::Sleepy => on_button(&[], &[], SLEEP_BUTTON, GO_TO_SLEEP),
        }
    }

    /// Writes the floppy that boots it.
    pub fn write(self, floppy: &Path) -> io::Result<()> {
        let mut image = self.code();
        image.resize(SECTOR - 2, 0);
        image.extend([0x55, 0xaa]); // so that the BIOS takes it for a boot sector
        image.resize(FLOPPY, 0);
        fs::write(floppy, image)
    }
}

/// `once`, then for ever: `always`, and where `button` finds its bit set, `act`.
fn on_button(once: &[u8], always: &[u8], button: &[u8], act: &[u8]) -> Vec<u8> {
    let mut turn = [always, READ_STATUS, button].concat();
    if !button.is_empty() {
        turn.extend([0x74, act.len() as u8]); // jz past the act
    }
    turn.extend(act);
    turn.push(HALT);
    let back = turn.len() as i8 + 2;
    turn.extend([JUMP, (-back) as u8]);
    [once, &turn].concat()
}
