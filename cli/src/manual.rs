//! `iommap completions` and `iommap man`: what the system wants to know of this command.

use crate::args::Cli;
use crate::terminal;
use anyhow::{Context, Result};
use clap::CommandFactory;
use clap_complete::Shell;
use clap_mangen::Man;

/// Prints a shell's script for completion.
pub(crate) fn completions(shell: Shell) -> Result<u8> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "iommap", &mut script);
    terminal::print(script)?;
    Ok(0)
}

/// Prints a manual page.
pub(crate) fn page(of: Option<&str>) -> Result<u8> {
    let mut command = Cli::command();
    // What is said of all commands is said on their pages too.
    command.build();
    let command = match of {
        None => command,
        Some(name) => command
            .find_subcommand(name)
            .cloned()
            .with_context(|| format!("there is no command `{name}`: see iommap --help"))?,
    };
    let mut page = Vec::new();
    let source = concat!("iommap ", env!("CARGO_PKG_VERSION"));
    Man::new(command).source(source).manual("iommap").render(&mut page)?;
    terminal::print(page)?;
    Ok(0)
}
