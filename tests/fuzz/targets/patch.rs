//! Fuzzes bodies of PATCH and PUT; what must hold is in `checks/patch.rs`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| scim_bridge_fuzz::patch::check(data));
