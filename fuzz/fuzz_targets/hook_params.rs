//! The words of a hook's parameters.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    if let Ok(text) = std::str::from_utf8(data) {
        let _ = vboxsvc::settings::value::shell_words(text);
    }
});
