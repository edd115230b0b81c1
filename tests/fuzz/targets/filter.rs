//! Fuzzes filters, as text; what must hold is in `checks/filter.rs`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| scim_bridge_fuzz::filter::check(data));
