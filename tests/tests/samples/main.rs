//! The sample guests that are programs people use, run as people start them.

mod geoip;
mod kv;

use std::process::Output;

/// A command's exit code and what it wrote. No signal ended it.
#[track_caller]
fn said(output: &Output) -> (i32, String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let code = output.status.code();
    let code = code.unwrap_or_else(|| panic!("{}: {}", output.status, text(&output.stderr)));
    (code, text(&output.stdout), text(&output.stderr))
}
