//! The sample `sqlite`: SQLite as it is published, in a component. The crate that has its source in it is
//! fetched by cargo, and not committed.

use crate::languages::{
    COMPONENTIZE_C, Others, c_files, componentize_c, made, one_line, zig_shell,
};
use crate::tools::SetUp;
use crate::{Guest, root};
use anyhow::{Context, Result};
use cargo_metadata::MetadataCommand;
use std::path::{Path, PathBuf};
use xshell::cmd;

pub(crate) const NAME: &str = "sqlite";

/// The sample's folder, relative to the root of the clone.
const SAMPLE: &str = "guest-example/sqlite";

/// Where `sqlite3.c` is: the lock file says of which version, and what its checksum is.
fn amalgamation(set_up: SetUp) -> Result<PathBuf> {
    let mut metadata = MetadataCommand::new();
    metadata.manifest_path(root().join(SAMPLE).join("source/Cargo.toml"));
    let offline = (set_up == SetUp::Forbidden).then(|| "--offline".to_owned());
    let options = [Some("--locked".to_owned()), offline];
    metadata.other_options(options.into_iter().flatten().collect::<Vec<_>>());
    let metadata = metadata.exec().context("cargo could not fetch SQLite's source")?;
    let package = metadata.packages.iter().find(|package| package.name == "libsqlite3-sys");
    let manifest = &package.context("the lock file has no libsqlite3-sys")?.manifest_path;
    Ok(manifest.with_file_name("sqlite3").into())
}

/// Builds the guest, or notes why its source is not to be had.
pub(crate) fn build(tools: &Path, set_up: SetUp, others: &mut Others) -> Result<()> {
    let source = match amalgamation(set_up) {
        Ok(source) => source,
        Err(why) => {
            others.missing.push((NAME, one_line(&why)));
            return Ok(());
        }
    };
    let sample = root().join(SAMPLE);
    let made_of = [
        sample.join("src"),
        sample.join("wit"),
        sample.join("source/Cargo.lock"),
        root().join(COMPONENTIZE_C),
    ];
    let path = made(NAME, &made_of, tools, |work, new| {
        let (tool, sh) = (componentize_c()?, zig_shell()?);
        let (wit, zig, src) = (sample.join("wit"), tools.join("ziglang/zig"), sample.join("src"));
        let files = c_files(&src)?;
        let command = cmd!(sh, "{tool} --wit {wit} --work {work} --zig {zig}");
        let command = command.arg("-I").arg(&src).arg("-I").arg(&source);
        Ok(command.arg("-o").arg(new).args(files).quiet().run()?)
    });
    let path = path.with_context(|| format!("{SAMPLE} was not built"))?;
    others.guests.push(Guest { name: NAME.to_owned(), path });
    Ok(())
}
