//! Fuzzes paths of PATCH and of projections, as text; what must hold is in `checks/path.rs`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| scim_bridge_fuzz::path::check(data));
