//! `iommap-oci`: an OCI runtime for containers whose image is a component and nothing else.
//!
//! An engine calls it as it calls runc. If the entry point of a container that is to be created is a
//! component, the container's configuration is changed so that `iommap run` runs it, with each volume
//! a grant; then, and for all else that is asked, runc does what it always does. `docs/containers.md`
//! says how it is set up, and `SECURITY.md` what it is held to.

#[cfg(target_os = "linux")]
mod runtime;

use std::process::ExitCode;

#[cfg(target_os = "linux")]
fn main() -> ExitCode {
    runtime::main()
}

#[cfg(not(target_os = "linux"))]
fn main() -> ExitCode {
    eprintln!("iommap-oci: containers of this kind are Linux's");
    ExitCode::FAILURE
}
