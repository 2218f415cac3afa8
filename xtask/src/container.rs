//! `cargo xtask container` and `cluster`: components in containers, by engines of Debian's.

use crate::run::{say, shell};
use anyhow::{Context, Result};
use iommap_artifacts::{SetUp, Toolchain, database, guest};
use xshell::{Shell, cmd};

/// Runs guests in containers.
pub(crate) fn container() -> Result<()> {
    let sh = shell()?;
    let programs = programs(&sh)?;
    let (search, kv) = (guest("search"), guest("kv"));
    Ok(cmd!(sh, "ci/container.sh {programs} {search} {kv}").run()?)
}

/// The same on two machines.
pub(crate) fn cluster() -> Result<()> {
    let database = database(SetUp::Allowed)?;
    let databases = database.parent().context("a file is in a directory")?;
    let sh = shell()?;
    let programs = programs(&sh)?;
    let (search, lookup) = (guest("search"), guest("lookup"));
    Ok(cmd!(sh, "ci/cluster.sh {programs} {search} {lookup} {databases}").run()?)
}

/// Builds the programs that images have, and says in which directory they are.
fn programs(sh: &Shell) -> Result<String> {
    Toolchain::set_up()?;
    say("building iommap, iommap-server and iommap-oci without libraries of the system's");
    Ok(cmd!(sh, "ci/static.sh --quick").read()?)
}
