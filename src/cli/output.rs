//! Results on stdout. A reader that went away (`| head`) ends nothing and panics nowhere.

/// Like `print!`, but a closed pipe is nobody's fault.
macro_rules! out {
    ($($text:tt)*) => {{
        use std::io::Write;
        let _ = write!(std::io::stdout().lock(), $($text)*);
    }};
}

/// Like `println!`, but a closed pipe is nobody's fault.
macro_rules! outln {
    ($($text:tt)*) => {{
        use std::io::Write;
        let _ = writeln!(std::io::stdout().lock(), $($text)*);
    }};
}

pub(super) use {out, outln};
