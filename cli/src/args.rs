//! What may be written on the command line.

use crate::grant::Grant;
use crate::new::Template;
use clap::{ArgAction, Args, Parser, Subcommand};
use clap_complete::Shell;
use iommap_cli::{Limit, bytes, duration, variable};
use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::LazyLock;
use std::time::Duration;

const EXAMPLES: &str = "\
Examples:
  iommap run --dir . search.wasm needle ./haystack.log
      The component may read, write and map what is in the current directory.
  iommap run --dir /var/log::/logs::ro search.wasm needle /logs/syslog
      It sees /var/log as /logs, and may not change it.
  iommap run --dir data::/data --limit mapped-bytes=1G --timeout 60s --stats plugin.wasm
      A component that is not trusted: so much address space, so much time.
  iommap inspect plugin.wasm
      Says which interfaces a component needs, and whether they are provided.
  iommap new rust my-guest
      Begins a guest of your own, in Rust, C, JavaScript or Python, or a plugin with its host.
  iommap compile plugin.wasm -o plugin.cwasm && iommap run --precompiled plugin.cwasm
      Compiles it now, so that it starts at once later.";

const EXIT_CODES: &str = "\
Exit code:
  that of the component, if it gave one; 1 if it only said that it failed
  2    nothing was run: the command line, the component or a directory is at fault
  124  the time of --timeout was over
  130  SIGINT ended it, as with Ctrl-C
  134  the component trapped, as with a panic
  135  it said that it succeeded, but pages of files were lost in its windows
  141  whoever read the component's output went away, as with `| head`
  143  SIGTERM ended it";

/// The version, with that of what runs the components.
static VERSION: LazyLock<String> = LazyLock::new(|| {
    format!("{} (wasmtime {})", env!("CARGO_PKG_VERSION"), wasmtime_environ::VERSION)
});

/// Runs WebAssembly components that map files into memory.
///
/// A component sees nothing of this machine but what --dir grants it. What it sees it can use
/// through WASI, and map through the interface iommap:mmap; a file that is cut short while it is
/// mapped is an error for the component, and harms nothing else.
#[derive(Debug, Parser)]
#[command(
    name = "iommap",
    bin_name = "iommap",
    version = VERSION.as_str(),
    after_help = EXAMPLES,
    disable_help_subcommand = true
)]
pub(crate) struct Cli {
    /// Log more on stderr: -v what is refused, -vv each call with its duration, -vvv also the
    /// libraries
    ///
    /// Without it, the environment variable IOMMAP_LOG (or RUST_LOG) says what is logged, as in
    /// IOMMAP_LOG=iommap=debug. Warnings are, if neither is set.
    #[arg(short, long, action = ArgAction::Count, global = true)]
    pub(crate) verbose: u8,

    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Run(Run),
    Inspect(Inspect),
    Compile(Compile),
    New(New),
    /// Print what a shell needs to complete this command
    ///
    /// As in `iommap completions bash > ~/.local/share/bash-completion/completions/iommap`.
    Completions {
        /// The shell
        shell: Shell,
    },
    /// Print the manual page of this command, or of one of its subcommands
    ///
    /// As in `iommap man run | man -l -`.
    Man {
        /// The subcommand
        command: Option<String>,
    },
}

/// Make a folder with the beginning of a guest of your own
///
/// It has a first program, and a README that says how it is built and run.
#[derive(Debug, Args)]
pub(crate) struct New {
    /// What it is: a program in one of these languages, or a component with a function of its own
    /// and the host that calls it, both in Rust
    pub(crate) template: Template,

    /// The folder to make
    pub(crate) dir: PathBuf,
}

/// Run a component
///
/// The component must export wasi:cli/run, as programs built for wasm32-wasip2 do. It gets this
/// command's standard input and output.
#[derive(Debug, Args)]
#[command(
    override_usage = "iommap run [OPTIONS] COMPONENT.wasm [ARGS]...",
    after_help = EXIT_CODES,
    after_long_help = format!("{EXAMPLES}\n\n{EXIT_CODES}")
)]
pub(crate) struct Run {
    /// Grant a directory: for WASI and for mappings. May be repeated
    ///
    /// The component sees the directory HOST as GUEST, or by the name of HOST itself if no other
    /// is given. With `::ro` it can change nothing there; `::rw` is the default. Of two that have
    /// one name the later counts.
    #[arg(long = "dir", value_name = "HOST[::GUEST[::ro]]", value_parser = Grant::parse)]
    pub(crate) dirs: Vec<Grant>,

    /// Set an environment variable of the component, or pass on one of this shell. May be repeated
    #[arg(long = "env", value_name = "NAME[=VALUE]", value_parser = variable)]
    pub(crate) env: Vec<(String, String)>,

    /// Limit what the component may map: see --help for the names. May be repeated
    #[arg(
        long = "limit",
        value_name = "NAME=VALUE",
        value_parser = Limit::parse,
        long_help = Limit::help()
    )]
    pub(crate) limits: Vec<Limit>,

    /// Let the component have windows on files whose bytes may change. Only for files that nobody
    /// changes
    ///
    /// A window is pages of a file in the component's own memory (see `--limit windows`). Without
    /// this there are windows only on files whose bytes nobody can change any more, which the system
    /// knows of files with fs-verity. With it you vouch that, while the component runs, no program
    /// writes to the files that it maps, nor cuts them short, the component included: grant
    /// directories with `::ro`, and replace files by renaming new ones over them. If one is changed in
    /// place all the same, this host may do anything that a program with an error in it may do.
    #[arg(long)]
    pub(crate) windows_on_changing_files: bool,

    /// Let the component write to files through windows. Only if you trust the component
    ///
    /// What it stores in such a window reaches the file. You vouch for what
    /// --windows-on-changing-files says of the files, and that the component has no two windows on
    /// the same bytes.
    #[arg(long)]
    pub(crate) writable_windows: bool,

    /// Don't mind pages that are lost in windows: the component does
    ///
    /// A page of a window that is lost, because its file was cut short, reads as zeros. A component
    /// that was not made for windows doesn't know, so the number of such pages is said at the end, and
    /// a success becomes exit code 135. With this, neither is done.
    #[arg(long)]
    pub(crate) allow_lost_pages: bool,

    /// Limit each of the component's own memories, such as 256M
    #[arg(long, value_name = "BYTES", value_parser = bytes)]
    pub(crate) max_memory: Option<u64>,

    /// End the component after it has run for so long, such as 60, 500ms or 2m, with exit code 124.
    /// To compile it is not counted
    #[arg(long, value_name = "TIME", value_parser = duration, allow_negative_numbers = true)]
    pub(crate) timeout: Option<Duration>,

    /// Print at the end what was mapped, read and written, on stderr
    #[arg(long)]
    pub(crate) stats: bool,

    /// Run what `iommap compile` has made of a component. Only from whom you trust
    ///
    /// The file is native code, and what is in it can do all that you can: none of what keeps a
    /// component in its place applies to it. Run only what you compiled yourself, or what comes
    /// from where you would take a program from.
    #[arg(long, conflicts_with = "no_cache")]
    pub(crate) precompiled: bool,

    #[command(flatten)]
    pub(crate) cache: Cache,

    /// The component's file. Whatever follows is passed on to the component as it stands
    #[arg(value_name = "COMPONENT.wasm", required = true, trailing_var_arg = true)]
    component: Vec<OsString>,
}

impl Run {
    /// The component's file.
    pub(crate) fn component(&self) -> PathBuf {
        self.component.first().map(PathBuf::from).unwrap_or_default()
    }

    /// What is passed on to the component.
    pub(crate) fn arguments(&self) -> &[OsString] {
        self.component.get(1..).unwrap_or_default()
    }
}

/// Say which interfaces a component needs, and whether this host provides them
///
/// Ends with 0 if `iommap run` can run it, else with 1.
#[derive(Debug, Args)]
pub(crate) struct Inspect {
    #[command(flatten)]
    pub(crate) cache: Cache,

    /// The component's file
    #[arg(value_name = "COMPONENT.wasm")]
    pub(crate) component: PathBuf,
}

/// Compile a component ahead of time, for `iommap run --precompiled`
///
/// What it writes is native code for this kind of processor, and for this version of iommap only.
/// A component that is compiled on its first run is kept in a cache, if there is a place for one:
/// this is for where there is none, as in a container.
#[derive(Debug, Args)]
pub(crate) struct Compile {
    /// The component's file
    #[arg(value_name = "COMPONENT.wasm")]
    pub(crate) component: PathBuf,

    /// Where the native code is written
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: PathBuf,
}

/// Where compiled components are kept.
#[derive(Debug, Args)]
pub(crate) struct Cache {
    /// Compile the component anew, and keep nothing of it for the next time
    #[arg(long)]
    pub(crate) no_cache: bool,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    fn run(args: &[&str]) -> Result<Run, String> {
        let args = ["iommap", "run"].iter().chain(args);
        match Cli::try_parse_from(args) {
            Ok(Cli { command: Command::Run(run), .. }) => Ok(run),
            Ok(other) => Err(format!("{other:?}")),
            Err(error) => Err(error.to_string()),
        }
    }

    #[test]
    fn the_definition_holds_together() {
        Cli::command().debug_assert();
    }

    #[test]
    fn options_after_the_component_are_the_components() {
        let run = run(&["--dir", ".", "a.wasm", "-n", "--help", "--", "--dir"]).unwrap();
        assert_eq!(run.component(), PathBuf::from("a.wasm"));
        assert_eq!(run.arguments(), ["-n", "--help", "--", "--dir"]);
        assert_eq!(run.dirs.len(), 1);
    }

    #[test]
    fn a_component_is_needed() {
        assert!(run(&[]).unwrap_err().contains("COMPONENT.wasm"));
    }
}
