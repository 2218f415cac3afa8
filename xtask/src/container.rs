//! `cargo xtask container` and `cluster`: components in containers, by engines of Debian's. The scripts
//! build the programs in them, once it is known that they can be run.

use crate::run::shell;
use anyhow::{Context, Result};
use iommap_artifacts::{SetUp, Toolchain, database, guest};
use xshell::cmd;

/// Runs guests in containers.
pub(crate) fn container(quick: bool) -> Result<()> {
    Toolchain::set_up()?;
    let (search, kv) = (guest("search"), guest("kv"));
    let quick = quick.then_some("--quick");
    let sh = shell()?;
    Ok(cmd!(sh, "ci/container.sh {quick...} {search} {kv}").run()?)
}

/// The same on two machines.
pub(crate) fn cluster() -> Result<()> {
    Toolchain::set_up()?;
    let database = database(SetUp::Allowed)?;
    let databases = database.parent().context("a file is in a directory")?;
    let (search, lookup) = (guest("search"), guest("lookup"));
    let sh = shell()?;
    Ok(cmd!(sh, "ci/cluster.sh {search} {lookup} {databases}").run()?)
}
