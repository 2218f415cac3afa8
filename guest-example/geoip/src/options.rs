//! The command line.

use lexopt::prelude::*;

pub(crate) const HELP: &str = "\
Looks IP addresses up in a MaxMind DB file, which it maps.

Usage: geoip [OPTIONS] DB ADDRESS...
       geoip [OPTIONS] DB --file FILE
       geoip [OPTIONS] DB --bench N

A line for each address: the address, the network that the record is about, and the record, with
tabs in between. `-` stands for no record.

Options:
  -f, --file FILE  look up the addresses in FILE, one a line; - is standard input
  -j, --json       print each answer as a JSON object
  -i, --info       print what the database says of itself
  -b, --bench N    look up N random addresses of each IP version and print how many it does a
                   second; with --file, the first N addresses in FILE
      --seed S     the random numbers to use [default: 1]
  -h, --help       print this

Exit status: 0 if every address was looked up, with or without a record; 1 if something went wrong.
";

/// What is to be done.
pub(crate) struct Options {
    pub(crate) database: String,
    pub(crate) addresses: Addresses,
    pub(crate) json: bool,
    pub(crate) info: bool,
    pub(crate) bench: Option<Bench>,
}

/// Which addresses are looked up.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Addresses {
    Given(Vec<String>),
    In(String),
}

/// How the benchmark runs.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Bench {
    pub(crate) count: usize,
    pub(crate) seed: u64,
}

/// Reads the command line; `None` if only help is wanted. Errors are sentences.
pub(crate) fn parse(mut args: lexopt::Parser) -> Result<Option<Options>, lexopt::Error> {
    let (mut database, mut file, mut given) = (None, None, Vec::new());
    let (mut json, mut info) = (false, false);
    let (mut bench, mut seed) = (None, 1);
    while let Some(arg) = args.next()? {
        match arg {
            Short('f') | Long("file") => file = Some(args.value()?.string()?),
            Short('j') | Long("json") => json = true,
            Short('i') | Long("info") => info = true,
            Short('b') | Long("bench") => bench = Some(args.value()?.parse_with(count)?),
            Long("seed") => seed = args.value()?.parse()?,
            Short('h') | Long("help") => return Ok(None),
            Value(value) if database.is_none() => database = Some(value.string()?),
            Value(value) => given.push(value.string()?),
            unknown => return Err(unknown.unexpected()),
        }
    }
    let Some(database) = database else { return Err("which database?".into()) };
    let bench = bench.map(|count| Bench { count, seed });
    let addresses = match file {
        Some(_) if !given.is_empty() => {
            return Err("addresses are given or in a file, not both".into());
        }
        Some(file) => Addresses::In(file),
        None if given.is_empty() && bench.is_none() && !info => {
            return Err(format!("which addresses should be looked up in {database}?").into());
        }
        None if !given.is_empty() && bench.is_some() => {
            return Err("--bench takes its addresses from --file, or makes them up".into());
        }
        None => Addresses::Given(given),
    };
    Ok(Some(Options { database, addresses, json, info, bench }))
}

/// From 1 to as many as there is memory for.
fn count(text: &str) -> Result<usize, String> {
    let count = text.parse().ok().filter(|count| (1..=50_000_000).contains(count));
    count.ok_or_else(|| "a number of lookups from 1 to 50000000 is expected".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(args: &[&str]) -> Result<Option<Options>, String> {
        parse(lexopt::Parser::from_args(args)).map_err(|error| error.to_string())
    }

    #[test]
    fn usual_command_lines() {
        let given = options(&["db", "1.1.1.1", "::1", "-j"]).unwrap().unwrap();
        assert_eq!(given.database, "db");
        assert_eq!(given.addresses, Addresses::Given(vec!["1.1.1.1".into(), "::1".into()]));
        assert!(given.json && given.bench.is_none());
        let file = options(&["--file=-", "db"]).unwrap().unwrap();
        assert_eq!(file.addresses, Addresses::In("-".into()));
        let bench = options(&["db", "--bench", "1000", "--seed", "9"]).unwrap().unwrap();
        assert_eq!(bench.bench, Some(Bench { count: 1000, seed: 9 }));
        assert!(options(&["db", "-i"]).unwrap().unwrap().info);
        assert!(options(&["-h"]).unwrap().is_none());
    }

    #[test]
    fn mistakes_are_named() {
        let message = |args: &[&str]| options(args).err().unwrap();
        assert!(message(&[]).contains("which database"));
        assert!(message(&["db"]).contains("which addresses"));
        assert!(message(&["db", "1.1.1.1", "-f", "x"]).contains("not both"));
        assert!(message(&["db", "1.1.1.1", "-b", "5"]).contains("--file"));
        assert!(message(&["db", "-b", "0"]).contains("50000000"));
        assert!(message(&["db", "--colour"]).contains("--colour"));
    }
}
