//! What a run found, kept in `docs/platforms.json`, and README's table, made from it.

use super::targets::{Native, named};
use crate::sections;
use crate::workspace::root;
use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use std::fmt::Write;
use std::fs;
use std::path::PathBuf;

/// README's section that is made, and what it says of that.
const SECTION: &str = "platforms";
const MADE: &str = "<!-- Made by `cargo xtask platforms --write` from docs/platforms.json. -->\n\n";

/// What a run found of one target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) target: String,
    /// The native layer was built.
    pub(super) native: bool,
    /// The host was checked with these features.
    pub(super) host: Option<String>,
    /// So many tests of the native layer passed.
    pub(super) tests: u64,
    /// So many can't run there.
    pub(super) left_out: u64,
}

/// What was found of all targets.
#[derive(Debug)]
pub(super) struct Record(Vec<Found>);

impl Record {
    pub(super) fn read() -> Result<Record> {
        let path = data();
        let text =
            fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        Record::parse(&text).with_context(|| format!("{} is no record", path.display()))
    }

    fn parse(text: &str) -> Result<Record> {
        let rows: Vec<Value> = serde_json::from_str(text)?;
        let found = |row: &Value| {
            Some(Found {
                target: row["target"].as_str()?.to_owned(),
                native: row["native"].as_bool()?,
                host: row["host"].as_str().map(str::to_owned),
                tests: row["tests"].as_u64()?,
                left_out: row["left_out"].as_u64()?,
            })
        };
        let rows = rows.iter().map(found).collect::<Option<_>>().context("a row lacks a field")?;
        Ok(Record(rows))
    }

    /// The features that the host was checked with.
    pub(super) fn host_of(&self, target: &str) -> Option<String> {
        self.0.iter().find(|row| row.target == target)?.host.clone()
    }

    /// Where the record says more of a target than was found of it now: how.
    pub(super) fn exceeds(&self, found: &Found) -> Option<String> {
        let recorded = self.0.iter().find(|row| row.target == found.target)?;
        let more = |what: &str| Some(format!("{}: the record says more: {what}", found.target));
        if recorded.native && !found.native {
            return more("the native layer is built");
        }
        if recorded.tests > found.tests {
            return more(&format!("{} tests, and not {}", recorded.tests, found.tests));
        }
        if recorded.left_out < found.left_out {
            return more(&format!("{} left out, not {}", recorded.left_out, found.left_out));
        }
        match &recorded.host {
            Some(features) if recorded.host != found.host => {
                more(&format!("the host is checked with `{features}`"))
            }
            _ => None,
        }
    }

    /// README's section.
    fn section(&self) -> String {
        format!("{MADE}{}", self.table())
    }

    /// The table, and what there is to say of its rows.
    fn table(&self) -> String {
        let mut table = String::from(
            "| system | processor | native layer | with wasmtime |\n|---|---|---|---|\n",
        );
        for found in &self.0 {
            let Some(target) = named(&found.target) else { continue };
            let native = match (found.native, target.native, found.tests) {
                (false, ..) => "does not build".to_owned(),
                (true, Native::TestedHere, 1..) => format!("tested: {} tests", found.tests),
                (true, Native::TestedEmulated, 1..) => format!(
                    "tested under qemu-user: {} tests; {} can't run there",
                    found.tests, found.left_out
                ),
                (true, ..) => "compiled, never run".to_owned(),
            };
            let host = match (&found.host, target.native) {
                (_, Native::TestedHere) => "tested by `cargo xtask test`".to_owned(),
                (Some(features), _) => format!("compiles (feature `{features}`), never run"),
                (None, _) if target.host.is_some() => "not checked".to_owned(),
                (None, _) => "no".to_owned(),
            };
            let (system, processor) = (target.system, target.processor);
            let _ = writeln!(table, "| {system} | {processor} | {native} | {host} |");
        }
        for found in &self.0 {
            let Some(target) = named(&found.target) else { continue };
            if !target.note.is_empty() {
                let _ = writeln!(
                    table,
                    "\n- {}, {}: {}.",
                    target.system, target.processor, target.note
                );
            }
        }
        table.replace(".\n\n- ", ".\n- ")
    }
}

/// Makes the record and README what was found.
pub(super) fn write(found: &[Found]) -> Result<()> {
    let rows = found.iter().map(|row| {
        let row = json!({
            "target": row.target,
            "native": row.native,
            "host": row.host,
            "tests": row.tests,
            "left_out": row.left_out,
        });
        format!("  {row}")
    });
    let rows = rows.collect::<Vec<_>>().join(",\n");
    let path = data();
    fs::create_dir_all(path.parent().context("the root has no parent")?)?;
    fs::write(&path, format!("[\n{rows}\n]\n"))?;
    sections::write(&readme(), &[(SECTION, &Record(found.to_vec()).section())])
}

/// Is README's table what was recorded?
pub(super) fn check_readme() -> Result<()> {
    let text = fs::read_to_string(readme())?;
    let recorded = Record::read()?.section();
    ensure!(
        sections::get(&text, SECTION)?.trim() == recorded.trim(),
        "README.md's platform table is not what docs/platforms.json says:\n{recorded}"
    );
    Ok(())
}

fn readme() -> PathBuf {
    root().join("README.md")
}

fn data() -> PathBuf {
    root().join("docs/platforms.json")
}

#[cfg(test)]
mod tests {
    use super::super::targets::TARGETS;
    use super::*;

    fn found() -> Found {
        Found {
            target: "aarch64-unknown-linux-gnu".into(),
            native: true,
            host: Some("cli".into()),
            tests: 170,
            left_out: 12,
        }
    }

    #[test]
    fn the_readme_says_what_was_found() {
        check_readme().unwrap();
    }

    #[test]
    fn every_target_is_recorded() {
        let record = Record::read().unwrap();
        let recorded: Vec<_> = record.0.iter().map(|row| row.target.as_str()).collect();
        let targets: Vec<_> = TARGETS.iter().map(|target| target.triple).collect();
        assert_eq!(recorded, targets);
    }

    #[test]
    fn a_record_that_says_more_than_was_found_is_noticed() {
        let record = Record(vec![found()]);
        assert_eq!(record.exceeds(&found()), None);
        assert_eq!(record.exceeds(&Found { tests: 171, ..found() }), None);
        for less in [
            Found { tests: 169, ..found() },
            Found { left_out: 13, ..found() },
            Found { native: false, ..found() },
            Found { host: Some("wasi".into()), ..found() },
        ] {
            assert!(record.exceeds(&less).is_some(), "{less:?}");
        }
        assert_eq!(record.host_of(&found().target).as_deref(), Some("cli"));
    }

    #[test]
    fn what_does_not_run_is_not_called_tested() {
        let built = Found { target: "aarch64-apple-darwin".into(), tests: 0, ..found() };
        let table = Record(vec![found(), built.clone(), Found { native: false, ..built }]).table();
        let lines: Vec<_> = table.lines().skip(2).collect();
        assert!(lines[0].contains("tested under qemu-user: 170 tests; 12 can't"), "{}", lines[0]);
        assert!(lines[1].contains("compiled, never run") && !lines[1].contains("tested"));
        assert!(lines[2].contains("does not build"), "{}", lines[2]);
    }
}
