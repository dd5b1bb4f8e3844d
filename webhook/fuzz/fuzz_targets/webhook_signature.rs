#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| targets::webhook_signature(input));
