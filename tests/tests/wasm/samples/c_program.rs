//! A program in C of Debian's on our mmap(2), and the same program as this machine's compiler makes it.

use std::path::{Path, PathBuf};
use std::process::Command;

use iommap_artifacts::{native_c, try_guest};
use iommap_tests::command_line::iommap;

/// A program, as a component and natively.
pub(crate) struct Programs {
    guest: &'static str,
    native: PathBuf,
}

/// Exit code, output and messages: the output is bytes of any value.
pub(crate) type Said = (Option<i32>, Vec<u8>, String);

impl Programs {
    /// Where they can't be had it is said why.
    pub(crate) fn find(name: &str) -> Option<Programs> {
        let guest = try_guest(name).map_err(|why| eprintln!("skipped: {name}: {why}")).ok()?;
        let native = native_c(name).unwrap_or_else(|why| panic!("{why:#}"));
        Some(Programs { guest, native })
    }

    /// In a directory, which is the component's as well.
    pub(crate) fn guest(&self, dir: &Path, options: &[&str], args: &[&str]) -> Command {
        let mut command = iommap();
        command.current_dir(dir).args(["run", "--dir", ".::."]).args(options);
        command.arg(self.guest).args(args);
        command
    }

    pub(crate) fn native(&self, dir: &Path, args: &[&str]) -> Command {
        let mut command = Command::new(&self.native);
        command.current_dir(dir).args(args);
        command
    }
}

pub(crate) fn said(command: &mut Command) -> Said {
    let output = command.output().unwrap();
    (output.status.code(), output.stdout, String::from_utf8(output.stderr).unwrap())
}
