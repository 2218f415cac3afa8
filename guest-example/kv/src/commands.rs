//! What one does with a database.

use crate::options::{Options, Scan};
use crate::store::{self, Failure, RECORDS, failed, length, output_failed, records};
use redb::ReadableTableMetadata;
use std::fmt::Write as _;
use std::io::{self, BufWriter, Write};
use std::ops::Bound;

pub(crate) fn put(options: &Options, key: &str, value: &str) -> Result<(), Failure> {
    let database = store::or_create(options)?;
    let written = || -> Result<(), redb::Error> {
        let transaction = database.begin_write()?;
        transaction.open_table(RECORDS)?.insert(key, value)?;
        Ok(transaction.commit()?)
    };
    written().map_err(|error| failed(options, &error))
}

/// Prints the value, and tells whether there is one.
pub(crate) fn get(options: &Options, key: &str) -> Result<bool, Failure> {
    let database = store::for_reading(options)?;
    let value = || -> Result<Option<String>, redb::Error> {
        let Some(table) = records(&*database)? else { return Ok(None) };
        Ok(table.get(key)?.map(|value| value.value().to_owned()))
    };
    let Some(value) = value().map_err(|error| failed(options, &error))? else {
        eprintln!("kv: {}: no key {key:?}", options.database);
        return Ok(false);
    };
    writeln!(io::stdout(), "{value}").map_err(output_failed)?;
    Ok(true)
}

/// Removes the key, and tells whether it was there.
pub(crate) fn delete(options: &Options, key: &str) -> Result<bool, Failure> {
    let database = store::for_writing(options)?;
    let removed = || -> Result<bool, redb::Error> {
        let transaction = database.begin_write()?;
        let removed = transaction.open_table(RECORDS)?.remove(key)?.is_some();
        transaction.commit()?;
        Ok(removed)
    };
    let removed = removed().map_err(|error| failed(options, &error))?;
    if !removed {
        eprintln!("kv: {}: no key {key:?}", options.database);
    }
    Ok(removed)
}

pub(crate) fn scan(options: &Options, scan: &Scan) -> Result<(), Failure> {
    let failed = |error: redb::Error| failed(options, &error);
    let database = store::for_reading(options)?;
    let Some(table) = records(&*database).map_err(failed)? else { return Ok(()) };
    // The prefix itself is the first key that begins so.
    let from = match (&scan.from, &scan.prefix) {
        (Some(from), Some(prefix)) => Bound::Included(&**from.max(prefix)),
        (from, prefix) => {
            from.as_deref().or(prefix.as_deref()).map_or(Bound::Unbounded, Bound::Included)
        }
    };
    let to = scan.to.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
    if matches!((from, to), (Bound::Included(from), Bound::Excluded(to)) if from >= to) {
        return Ok(());
    }
    let mut range = table.range::<&str>((from, to)).map_err(|error| failed(error.into()))?;
    let mut out = BufWriter::with_capacity(1 << 16, io::stdout().lock());
    let mut left = scan.limit.unwrap_or(u64::MAX);
    while left > 0 {
        let next = if scan.reverse { range.next_back() } else { range.next() };
        let Some(record) = next else { break };
        let (key, value) = record.map_err(|error| failed(error.into()))?;
        let key = key.value();
        match &scan.prefix {
            Some(prefix) if !key.starts_with(&**prefix) => {
                // Keys that begin so stand together. From behind, others come before them.
                if scan.reverse && key > &**prefix { continue } else { break }
            }
            _ => {}
        }
        writeln!(out, "{}\t{}", on_one_line(key), on_one_line(value.value()))
            .map_err(output_failed)?;
        left -= 1;
    }
    out.flush().map_err(output_failed)
}

pub(crate) fn compact(options: &Options) -> Result<(), Failure> {
    let mut database = store::for_writing(options)?;
    let before = length(options)?;
    // Each time it goes a part of the way, until there is nothing more to be had.
    while database.compact().map_err(|error| failed(options, &error))? {}
    drop(database);
    let after = length(options)?;
    if !options.quiet {
        eprintln!("kv: {}: {before} bytes before, {after} after", options.database);
    }
    Ok(())
}

pub(crate) fn stats(options: &Options) -> Result<(), Failure> {
    let database = store::for_reading(options)?;
    let text = || -> Result<String, redb::Error> {
        let Some(table) = records(&*database)? else { return Ok("records: 0\n".into()) };
        let (stats, mut text) = (table.stats()?, String::new());
        for (name, number) in [
            ("records", table.len()?),
            ("bytes of keys and values", stats.stored_bytes()),
            ("bytes of the tree around them", stats.metadata_bytes()),
            ("bytes unused in its pages", stats.fragmented_bytes()),
            ("leaf pages", stats.leaf_pages()),
            ("branch pages", stats.branch_pages()),
            ("height of the tree", stats.tree_height().into()),
        ] {
            _ = writeln!(text, "{name}: {number}");
        }
        Ok(text)
    };
    let text = text().map_err(|error| failed(options, &error))?;
    drop(database);
    let mut out = io::stdout();
    writeln!(out, "{text}length of the file: {}", length(options)?).map_err(output_failed)
}

/// Without what would end the line or steer the terminal.
fn on_one_line(text: &str) -> String {
    if !text.contains(char::is_control) {
        return text.to_owned();
    }
    let mut line = String::with_capacity(text.len() + 8);
    for character in text.chars() {
        if character.is_control() {
            line.extend(character.escape_default());
        } else {
            line.push(character);
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_one_line() {
        assert_eq!(on_one_line("é x"), "é x");
        assert_eq!(on_one_line("a\tb\nc\u{1b}"), "a\\tb\\nc\\u{1b}");
    }
}
