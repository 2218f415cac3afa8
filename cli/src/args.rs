//! What may be written on the command line.

use crate::size;
use clap::{ArgAction, Args, Parser, Subcommand};
use iommap::Limits;
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

const EXAMPLES: &str = "\
Examples:
  iommap run --dir . search.wasm needle ./haystack.log
      The component may read, write and map what is in the current directory.
  iommap run --dir /var/log::/logs::ro search.wasm needle /logs/syslog
      It sees /var/log as /logs, and may not change it.
  iommap run --dir data::/data --limit mapped-bytes=1G --timeout 60 --stats plugin.wasm
      A component that is not trusted: so much address space, so much time.
  iommap inspect plugin.wasm
      Says which interfaces a component needs, and whether they are provided.";

const EXIT_CODES: &str = "\
Exit code:
  that of the component, if it gave one; 1 if it only said that it failed
  2    nothing was run: the command line, the component or a directory is at fault
  124  the time of --timeout was over
  134  the component trapped, as with a panic
  141  whoever read the component's output went away, as with `| head`";

const LIMITS: &str = "\
Limit what the component may map. May be repeated

VALUE may end in K, M, G or T (powers of 1024). The limits, and what they are if not set:

  mappings      64   mappings open at once
  mapped-bytes  64G  mapped at once, by all mappings together
  file-bytes    64G  the length to which a file may be created or grown
  call-bytes    64M  moved by one call
  locked-bytes  0    locked in memory at once: nothing may be, unless this is set";

/// Runs WebAssembly components that map files into memory.
///
/// A component sees nothing of this machine but what --dir grants it. What it sees it can use
/// through WASI, and map through the interface iommap:mmap; a file that is cut short while it is
/// mapped is an error for the component, and harms nothing else.
#[derive(Debug, Parser)]
#[command(
    name = "iommap",
    bin_name = "iommap",
    version,
    after_help = EXAMPLES,
    disable_help_subcommand = true
)]
pub(crate) struct Cli {
    /// Log more on stderr: -v what is refused, -vv each call, -vvv also the libraries
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
    /// is given. With `::ro` it can change nothing there; `::rw` is the default.
    #[arg(long = "dir", value_name = "HOST[::GUEST[::ro]]", value_parser = Grant::parse)]
    pub(crate) dirs: Vec<Grant>,

    /// Set an environment variable of the component, or pass on one of this shell. May be repeated
    #[arg(long = "env", value_name = "NAME[=VALUE]", value_parser = variable)]
    pub(crate) env: Vec<(String, String)>,

    /// Limit what the component may map: see --help for the names. May be repeated
    #[arg(long = "limit", value_name = "NAME=VALUE", value_parser = Limit::parse, long_help = LIMITS)]
    pub(crate) limits: Vec<Limit>,

    /// Limit each of the component's own memories, such as 256M
    #[arg(long, value_name = "BYTES", value_parser = size::parse)]
    pub(crate) max_memory: Option<u64>,

    /// End the component after so many seconds, with exit code 124
    #[arg(long, value_name = "SECONDS", value_parser = seconds, allow_negative_numbers = true)]
    pub(crate) timeout: Option<Duration>,

    /// Print at the end what was mapped, read and written, on stderr
    #[arg(long)]
    pub(crate) stats: bool,

    #[command(flatten)]
    pub(crate) compile: Compile,

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
    pub(crate) compile: Compile,

    /// The component's file
    #[arg(value_name = "COMPONENT.wasm")]
    pub(crate) component: PathBuf,
}

/// How a component is compiled.
#[derive(Debug, Args)]
pub(crate) struct Compile {
    /// Compile the component anew, and keep nothing of it for the next time
    #[arg(long)]
    pub(crate) no_cache: bool,
}

/// One `--dir`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Grant {
    /// As it was written, for messages.
    pub(crate) text: String,
    pub(crate) host: PathBuf,
    pub(crate) guest: String,
    pub(crate) read_only: bool,
}

impl Grant {
    fn parse(text: &str) -> Result<Grant, String> {
        let mut parts = text.split("::");
        let host = parts.next().unwrap_or_default();
        let guest = parts.next();
        let read_only = match parts.next() {
            // `HOST::ro` would grant everything, under a name that nobody meant.
            None => match guest {
                Some(mode @ ("ro" | "rw")) => {
                    return Err(format!(
                        "write `{host}::{host}::{mode}`, or `{host}::./{mode}` if the component \
                         is to see a directory named `{mode}`"
                    ));
                }
                _ => false,
            },
            Some("rw") => false,
            Some("ro") => true,
            Some(other) => {
                return Err(format!(
                    "`{other}` is no way to grant a directory: the third part is `ro` or `rw`"
                ));
            }
        };
        if parts.next().is_some() {
            return Err("it has more than the three parts HOST::GUEST::ro".to_owned());
        }
        if host.is_empty() {
            return Err("it names no directory: `.` is the current one".to_owned());
        }
        if guest == Some("") {
            return Err("it has no name for the component to see: try `/`".to_owned());
        }
        Ok(Grant {
            text: text.to_owned(),
            host: host.into(),
            guest: guest.unwrap_or(host).to_owned(),
            read_only,
        })
    }
}

/// One `--limit`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Limit {
    pub(crate) name: String,
    pub(crate) value: u64,
}

impl Limit {
    fn parse(text: &str) -> Result<Limit, String> {
        let names = || Limits::NAMES.join(", ");
        let Some((name, value)) = text.split_once('=') else {
            return Err(format!("write NAME=VALUE, where NAME is one of {}", names()));
        };
        let value = size::parse(value)?;
        if !Limits::default().set(name, value) {
            return Err(format!("there is no limit `{name}`: the limits are {}", names()));
        }
        Ok(Limit { name: name.to_owned(), value })
    }
}

fn variable(text: &str) -> Result<(String, String), String> {
    let (name, value) = match text.split_once('=') {
        Some((name, value)) => (name, value.to_owned()),
        None => (text, inherited(text)?),
    };
    if name.is_empty() {
        return Err("the variable has no name: write NAME=VALUE".to_owned());
    }
    Ok((name.to_owned(), value))
}

fn inherited(name: &str) -> Result<String, String> {
    use std::env::VarError::{NotPresent, NotUnicode};
    std::env::var(name).map_err(|error| match error {
        NotPresent => format!("`{name}` is not set here: write `{name}=VALUE`"),
        NotUnicode(_) => format!("the value of `{name}` is not UTF-8, which a component's must be"),
    })
}

fn seconds(text: &str) -> Result<Duration, String> {
    text.parse()
        .ok()
        .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
        .filter(|duration| !duration.is_zero())
        .ok_or_else(|| format!("`{text}` is not a number of seconds, such as 10 or 0.5"))
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

    fn grant(text: &str) -> Result<(String, String, bool), String> {
        let Grant { host, guest, read_only, .. } = Grant::parse(text)?;
        Ok((host.display().to_string(), guest, read_only))
    }

    #[test]
    fn the_definition_holds_together() {
        Cli::command().debug_assert();
    }

    #[test]
    fn given_directories_when_parsed_then_the_guest_sees_the_name_it_should() {
        let is = |host: &str, guest: &str, read_only| Ok((host.into(), guest.into(), read_only));
        assert_eq!(grant("."), is(".", ".", false));
        assert_eq!(grant("/a b::/data"), is("/a b", "/data", false));
        assert_eq!(grant("x::y::ro"), is("x", "y", true));
        assert_eq!(grant("x::y::rw"), is("x", "y", false));
        assert_eq!(grant("x::ro::ro"), is("x", "ro", true));
        assert_eq!(grant("c:x"), is("c:x", "c:x", false));
    }

    #[test]
    fn given_directories_that_could_mean_anything_when_parsed_then_it_says_what_to_write() {
        for (text, advice) in [
            ("", "current"),
            ("::/data", "current"),
            ("x::", "name"),
            ("x::y::wo", "`ro` or `rw`"),
            ("x::y::", "`ro` or `rw`"),
            ("x::y::ro::z", "three parts"),
            ("x::ro", "x::x::ro"),
        ] {
            let message = grant(text).unwrap_err();
            assert!(message.contains(advice), "{text}: {message}");
        }
    }

    #[test]
    fn given_limits_when_parsed_then_names_and_units_are_known() {
        let limit = |text: &str| Limit::parse(text).map(|limit| (limit.name, limit.value));
        assert_eq!(limit("mapped-bytes=1G"), Ok(("mapped-bytes".into(), 1 << 30)));
        for text in ["mappings", "nonsense=1", "=1"] {
            let message = limit(text).unwrap_err();
            for name in Limits::NAMES {
                assert!(message.contains(name), "{message}");
            }
        }
        assert!(limit("mappings=many").unwrap_err().contains("`many`"));
    }

    #[test]
    fn the_help_names_every_limit_with_its_default() {
        let mut command = Cli::command();
        let run = command.find_subcommand_mut("run").unwrap();
        let help = run.render_long_help().to_string();
        let defaults = Limits::default();
        for name in Limits::NAMES {
            let line = help.lines().find(|line| line.trim_start().starts_with(name)).unwrap();
            let words: Vec<&str> = line.split([' ', ',', ':']).collect();
            let mut shown = defaults.clone();
            let value = words.iter().find_map(|word| size::parse(word).ok()).unwrap();
            assert!(shown.set(name, value));
            assert_eq!(shown, defaults, "{line}");
        }
    }

    #[test]
    fn given_options_after_the_component_when_parsed_then_they_are_the_components() {
        let run = run(&["--dir", ".", "a.wasm", "-n", "--help", "--", "--dir"]).unwrap();
        assert_eq!(run.component(), PathBuf::from("a.wasm"));
        assert_eq!(run.arguments(), ["-n", "--help", "--", "--dir"]);
        assert_eq!(run.dirs.len(), 1);
    }

    #[test]
    fn given_variables_and_seconds_when_parsed_then_mistakes_are_named() {
        assert_eq!(variable("A=b=c"), Ok(("A".into(), "b=c".into())));
        assert_eq!(variable("A="), Ok(("A".into(), String::new())));
        assert!(variable("=b").is_err() && variable("").is_err());
        assert!(variable("NO_SUCH_VARIABLE").unwrap_err().contains("NO_SUCH_VARIABLE=VALUE"));
        assert_eq!(seconds("0.5"), Ok(Duration::from_millis(500)));
        for text in ["", "0", "-1", "NaN", "inf", "1e300", "5s"] {
            assert!(seconds(text).is_err(), "{text}");
        }
        assert!(run(&[]).unwrap_err().contains("COMPONENT.wasm"));
    }
}
