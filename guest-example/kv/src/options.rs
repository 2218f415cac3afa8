//! The command line.

use lexopt::prelude::*;
use std::time::Duration;

pub(crate) const HELP: &str = "\
Keeps keys and values in a file, which it maps.

Usage: kv [OPTIONS] DB put KEY VALUE   make KEY have VALUE
       kv [OPTIONS] DB get KEY         print the value of KEY
       kv [OPTIONS] DB delete KEY      remove KEY
       kv [OPTIONS] DB scan [RANGE]    print keys and values in order, with a tab between them
       kv [OPTIONS] DB load N          add records until N are there that were loaded
       kv [OPTIONS] DB check           see that nothing is damaged or missing
       kv [OPTIONS] DB compact         give back what is not used
       kv [OPTIONS] DB stats           print what is in it

Range:
      --from KEY       begin at KEY
      --to KEY         end before KEY
      --prefix TEXT    only keys that begin so
  -r, --reverse        the last one first
  -n, --limit N        at most N of them

Options:
      --batch N        load: so many records to a commit [default: 10000]
      --size BYTES     load: of a value [default: 100]
      --report         load: print a line after each commit
      --cache MB       use so much memory [default: 64]
      --wait SECONDS   wait so long for others who use the database [default: 10]
      --no-lock        keep nobody out: for where nobody else uses the database
  -q, --quiet          no summary
  -h, --help           print this

A database is made by `put` and `load`. Any number of kv may read it at once, and one alone may write
to it. For that the host has to grant locks (`iommap run --limit locks=4`).

Exit status: 0 if all went well; 1 if not, or if there is no such KEY.
";

/// How many records a load may have: their numbers have ten digits.
pub(crate) const MOST: u64 = 10_000_000_000;

/// What is to be done.
#[derive(Debug)]
pub(crate) struct Options {
    pub(crate) database: String,
    pub(crate) command: Command,
    /// In bytes.
    pub(crate) cache: usize,
    /// How long to wait for others. `None`: they are not kept out.
    pub(crate) wait: Option<Duration>,
    pub(crate) quiet: bool,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Command {
    Put { key: String, value: String },
    Get { key: String },
    Delete { key: String },
    Scan(Scan),
    Load(Load),
    Check,
    Compact,
    Stats,
}

/// Which records are printed.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Scan {
    pub(crate) from: Option<String>,
    pub(crate) to: Option<String>,
    pub(crate) prefix: Option<String>,
    pub(crate) limit: Option<u64>,
    pub(crate) reverse: bool,
}

/// What is loaded, and how.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Load {
    pub(crate) count: u64,
    pub(crate) batch: u64,
    pub(crate) size: usize,
    pub(crate) report: bool,
}

/// Reads the command line; `None` if only help is wanted. Errors are sentences.
pub(crate) fn parse(mut args: lexopt::Parser) -> Result<Option<Options>, lexopt::Error> {
    let mut words = Vec::new();
    let (mut scan, mut quiet, mut report) = (Scan::default(), false, false);
    let (mut batch, mut size, mut cache) = (10_000, 100, 64);
    let mut wait = Some(Duration::from_secs(10));
    while let Some(arg) = args.next()? {
        match arg {
            Long("from") => scan.from = Some(args.value()?.string()?),
            Long("to") => scan.to = Some(args.value()?.string()?),
            Long("prefix") => scan.prefix = Some(args.value()?.string()?),
            Short('r') | Long("reverse") => scan.reverse = true,
            Short('n') | Long("limit") => scan.limit = Some(args.value()?.parse()?),
            Long("batch") => batch = args.value()?.parse_with(|text| number(text, 100_000_000))?,
            Long("size") => size = args.value()?.parse_with(|text| number(text, 1 << 20))?,
            Long("report") => report = true,
            Long("cache") => cache = args.value()?.parse_with(|text| number(text, 2048))?,
            Long("wait") => {
                let seconds = args.value()?.parse_with(|text| {
                    text.parse().map_err(|_| format!("{text:?} is not a number of seconds"))
                })?;
                wait = wait.map(|_| Duration::from_secs(seconds));
            }
            Long("no-lock") => wait = None,
            Short('q') | Long("quiet") => quiet = true,
            Short('h') | Long("help") => return Ok(None),
            Value(value) => words.push(value.string()?),
            unknown => return Err(unknown.unexpected()),
        }
    }
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let (database, command) = match words[..] {
        [] => return Err("which database?".into()),
        [database] => return Err(format!("what should be done with {database}?").into()),
        [database, ref command @ ..] => (database.to_owned(), command),
    };
    let command = match *command {
        ["put", key, value] => Command::Put { key: key.into(), value: value.into() },
        ["get", key] => Command::Get { key: key.into() },
        ["delete", key] => Command::Delete { key: key.into() },
        ["scan"] => Command::Scan(scan),
        ["load", count] => {
            let count = number(count, MOST)?;
            Command::Load(Load { count, batch, size: size as usize, report })
        }
        ["check"] => Command::Check,
        ["compact"] => Command::Compact,
        ["stats"] => Command::Stats,
        ["put", ..] => return Err("put takes a key and a value".into()),
        ["get" | "delete", ..] => return Err(format!("{} takes a key", command[0]).into()),
        ["load", ..] => return Err("load takes a number of records".into()),
        _ => return Err(format!("there is no command `{}`", command.join(" ")).into()),
    };
    Ok(Some(Options { database, command, cache: (cache as usize) << 20, wait, quiet }))
}

/// A number from 1 to `most`.
fn number(text: &str, most: u64) -> Result<u64, String> {
    let number = text.parse().ok().filter(|number| (1..=most).contains(number));
    number.ok_or_else(|| format!("{text:?} is not a number from 1 to {most}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn command(args: &[&str]) -> Result<Command, String> {
        match parse(lexopt::Parser::from_args(args)) {
            Ok(options) => Ok(options.ok_or("only help")?.command),
            Err(error) => Err(error.to_string()),
        }
    }

    #[test]
    fn usual_command_lines() {
        let put = Command::Put { key: "a key".into(), value: "-v".into() };
        assert_eq!(command(&["db", "put", "--", "a key", "-v"]), Ok(put));
        assert_eq!(command(&["db", "get", "k"]), Ok(Command::Get { key: "k".into() }));
        let load = Load { count: 1_000_000, batch: 10_000, size: 100, report: true };
        assert_eq!(command(&["db", "load", "1000000", "--report"]), Ok(Command::Load(load)));
        let scan =
            Scan { prefix: Some("a".into()), limit: Some(3), reverse: true, ..Scan::default() };
        assert_eq!(command(&["db", "scan", "-rn3", "--prefix=a"]), Ok(Command::Scan(scan)));
        assert_eq!(command(&["-h"]), Err("only help".into()));
    }

    #[test]
    fn mistakes_are_named() {
        let message = |args: &[&str]| command(args).unwrap_err();
        assert!(message(&[]).contains("which database"));
        assert!(message(&["db"]).contains("what should be done with db"));
        assert!(message(&["db", "put", "k"]).contains("a key and a value"));
        assert!(message(&["db", "delete"]).contains("delete takes a key"));
        assert!(message(&["db", "load", "0"]).contains("from 1 to"));
        assert!(message(&["db", "load", "5", "--cache", "4096"]).contains("2048"));
        assert!(message(&["db", "get", "k", "--wait", "long"]).contains("seconds"));
        assert!(message(&["db", "drop"]).contains("no command `drop`"));
        assert!(message(&["db", "get", "k", "--colour"]).contains("--colour"));
    }
}
