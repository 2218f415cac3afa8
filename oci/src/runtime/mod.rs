//! The runtime: looks at what is to be created, and hands everything on to runc.
//!
//! | file | what is in it |
//! |---|---|
//! | `asked` | what the engine asks, as far as it matters here |
//! | `bundle` | the container's configuration: read and written |
//! | `entry` | which word of its command may be a component, and where that is |
//! | `place` | where a path of the container's leads, by links and mounts |
//! | `look` | a first look at a file of the image, which may be hostile |
//! | `rewrite` | the command and the mounts that run a component |
//! | `volumes` | which mounts are granted |
//! | `engines` | what engines mount, which is not |
//! | `program` | the programs of this machine: `iommap`, and the next runtime |
//! | `log` | where errors are told |

mod asked;
mod bundle;
mod engines;
mod entry;
mod log;
mod look;
mod place;
mod program;
mod rewrite;
mod volumes;

use anyhow::Result;
use asked::Asked;
use bundle::Bundle;
use log::Log;
use place::Places;
use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;

pub(crate) fn main() -> ExitCode {
    let args: Vec<OsString> = std::env::args_os().skip(1).collect();
    let asked = Asked::of(&args);
    let prepared = match &asked.bundle {
        Some(bundle) => prepare(bundle, &asked.log),
        None => Ok(()),
    };
    // It returns only if there is no runtime to hand on to.
    let error = match prepared {
        Ok(()) => program::become_next_runtime(&args),
        Err(error) => error,
    };
    asked.log.error(&error);
    ExitCode::FAILURE
}

/// Has iommap run the container in a bundle, if its entry point is a component.
fn prepare(dir: &Path, log: &Log) -> Result<()> {
    // A container that can't be read is not ours to refuse: the next runtime says what is wrong.
    let handed_on = |error| {
        log.warning(format_args!("handed on as it is: {error:#}"));
        Ok(())
    };
    let mut bundle = match Bundle::read(dir) {
        Ok(bundle) => bundle,
        Err(error) => return handed_on(error),
    };
    let places = match Places::of(&bundle) {
        Ok(places) => places,
        Err(error) => return handed_on(error),
    };
    let Some(component) = entry::find(&bundle, &places) else { return Ok(()) };
    let iommap = program::iommap()?;
    let volumes = volumes::granted(&places)?;
    for volume in &volumes.left_out {
        log.warning(format_args!("{} {}", volume.destination, volume.why));
    }
    rewrite::check_dev(&places)?;
    drop(places);
    rewrite::rewrite(&mut bundle, &component, &volumes.directories, &iommap)?;
    bundle.write()
}
