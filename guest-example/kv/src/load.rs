//! Fills a database, and sees that what was filled in is there.
//!
//! Record number N has the key `load:` and N in ten digits, and a value that follows from N. So
//! whoever finds the last one knows what all the others have to be, also if the load was killed:
//! a commit has all of its records or none.

use crate::options::{Load, Options};
use crate::store::{self, Failure, RECORDS, failed, length, output_failed, records};
use redb::{Database, ReadableDatabase, ReadableTable};
use std::fmt::Write as _;
use std::io::{self, Write};
use std::time::Instant;

/// Adds records, a batch to a commit, behind those that an earlier load has added.
pub(crate) fn run(options: &Options, load: &Load) -> Result<(), Failure> {
    let database = store::or_create(options)?;
    let failed = |error: redb::Error| failed(options, &error);
    let first = loaded(&database).map_err(failed)?;
    let start = Instant::now();
    let (mut done, mut commits) = (first, 0);
    while done < load.count {
        let end = load.count.min(done + load.batch);
        add(&database, done..end, load.size).map_err(failed)?;
        (done, commits) = (end, commits + 1);
        if load.report {
            let mut out = io::stdout();
            writeln!(out, "{done}").and_then(|()| out.flush()).map_err(output_failed)?;
        }
    }
    let seconds = start.elapsed().as_secs_f64();
    database.close().map_err(|error| failed(error.into()))?;
    if !options.quiet {
        let (added, bytes) = (done - first, length(options)?);
        let rate = added as f64 / seconds.max(1e-9);
        eprintln!(
            "kv: {added} records in {commits} commits, {seconds:.1} s ({rate:.0} a second), behind \
             {first} that were there; the file has {bytes} bytes"
        );
    }
    Ok(())
}

fn add(database: &Database, numbers: std::ops::Range<u64>, size: usize) -> Result<(), redb::Error> {
    let transaction = database.begin_write()?;
    {
        let mut table = transaction.open_table(RECORDS)?;
        let (mut key, mut value) = (String::new(), String::new());
        for number in numbers {
            write_key(&mut key, number);
            write_value(&mut value, number, size);
            table.insert(&*key, &*value)?;
        }
    }
    Ok(transaction.commit()?)
}

/// How many records earlier loads have added.
fn loaded(database: &dyn ReadableDatabase) -> Result<u64, redb::Error> {
    let Some(table) = records(database)? else { return Ok(0) };
    let last = table.range(FIRST..BEHIND)?.next_back().transpose()?;
    let number = last.and_then(|(key, _)| key.value().strip_prefix(FIRST)?.parse().ok());
    Ok(number.map_or(0, |number: u64| number + 1))
}

/// Checks every page of the file, and every record that was loaded.
pub(crate) fn check(options: &Options) -> Result<(), Failure> {
    let mut database = store::for_writing(options)?;
    let whole = database.check_integrity().map_err(|error| failed(options, &error))?;
    if !whole {
        return Err(format!("{}: it was damaged, and has been repaired", options.database));
    }
    let wrong = count_loaded(&database).map_err(|error| failed(options, &error))?;
    let (count, others) =
        wrong.map_err(|complaint| format!("{}: {complaint}", options.database))?;
    writeln!(io::stdout(), "{count} loaded records and {others} others: all there")
        .map_err(output_failed)
}

/// How many records were loaded, and how many others there are; or which one is not as it was.
fn count_loaded(database: &Database) -> Result<Result<(u64, u64), String>, redb::Error> {
    let Some(table) = records(database)? else { return Ok(Ok((0, 0))) };
    let (mut count, mut others) = (0, 0);
    let (mut key, mut value) = (String::new(), String::new());
    for record in table.iter()? {
        let (found, its_value) = record?;
        let (found, its_value) = (found.value(), its_value.value());
        if !found.starts_with(FIRST) {
            others += 1;
            continue;
        }
        write_key(&mut key, count);
        if found != key {
            return Ok(Err(format!("record {key} is missing: {found} comes in its place")));
        }
        write_value(&mut value, count, its_value.len());
        if its_value != value {
            return Ok(Err(format!("the value of {key} is not the one that was loaded")));
        }
        count += 1;
    }
    Ok(Ok((count, others)))
}

/// What the keys of loaded records begin with, and what comes behind all of them.
const FIRST: &str = "load:";
const BEHIND: &str = "load;";

fn write_key(key: &mut String, number: u64) {
    key.clear();
    _ = write!(key, "{FIRST}{number:010}");
}

/// Text of so many bytes that is another one for each number: what a value is made of doesn't
/// depend on how long it is.
fn write_value(value: &mut String, number: u64, size: usize) {
    value.clear();
    let mut random = fastrand::Rng::with_seed(number);
    while value.len() < size {
        _ = write!(value, "{:016x}", random.u64(..));
    }
    value.truncate(size);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::MOST;

    #[test]
    fn keys_are_in_order_and_values_follow_from_their_numbers() {
        let key = |number| {
            let mut key = String::new();
            write_key(&mut key, number);
            key
        };
        assert_eq!(key(7), "load:0000000007");
        assert!(key(99) < key(100) && key(MOST - 2) < key(MOST - 1) && *key(MOST - 1) < *BEHIND);
        let value = |number, size| {
            let mut value = String::new();
            write_value(&mut value, number, size);
            value
        };
        assert_eq!((value(5, 100), value(5, 0).len()), (value(5, 100), 0));
        assert!(value(5, 100) != value(6, 100) && value(5, 100).starts_with(&value(5, 9)));
    }
}
