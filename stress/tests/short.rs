//! A few seconds of it, with every test run.

use std::process::Command;

#[test]
fn guests_on_a_file_that_others_destroy_add_up() {
    let run = Command::new(env!("CARGO_BIN_EXE_iommap-stress"))
        .args(["--seconds", "4"])
        .output()
        .expect("the program runs");
    let said = String::from_utf8_lossy(&run.stdout);
    let complained = String::from_utf8_lossy(&run.stderr);
    println!("{said}\n{complained}");
    assert!(run.status.success(), "{}\n{said}\n{complained}", run.status);
    assert!(said.contains("no crash, no wrong byte, nothing left"));
}
