//! `cargo xtask container` and `cluster`: components in containers, by engines of Debian's.

use crate::run::{say, shell};
use anyhow::Result;
use iommap_artifacts::{Toolchain, guest};
use xshell::cmd;

/// Builds the static programs and runs the guests by them in containers.
pub(crate) fn container() -> Result<()> {
    Toolchain::set_up()?;
    let sh = shell()?;
    say("building iommap, iommap-server and iommap-oci without libraries of the system's");
    let programs = cmd!(sh, "ci/static.sh --quick").read()?;
    let (search, kv) = (guest("search"), guest("kv"));
    Ok(cmd!(sh, "ci/container.sh {programs} {search} {kv}").run()?)
}

/// The same on two machines.
pub(crate) fn cluster() -> Result<()> {
    Toolchain::set_up()?;
    let sh = shell()?;
    say("building iommap, iommap-server and iommap-oci without libraries of the system's");
    let programs = cmd!(sh, "ci/static.sh --quick").read()?;
    let (search, lookup) = (guest("search"), guest("lookup"));
    Ok(cmd!(sh, "ci/cluster.sh {programs} {search} {lookup}").run()?)
}
