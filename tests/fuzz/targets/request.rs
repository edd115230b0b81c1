//! Fuzzes whole connections; what must hold is in `checks/request.rs`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| scim_bridge_fuzz::request::check(data));
