//! Asking the database.

use std::fmt::Display;
use std::time::{Duration, Instant};

use crate::answer::Answer;
use crate::question::Question;
use crate::sources::Counted;
use mmdb::{Database, Error, Source, Value};
use serde_json::json;

/// Opens the database, looks the address up, and says what was found and what it took.
pub(crate) fn answer<S: Source>(
    question: &Question,
    open: impl FnOnce() -> Result<Counted<S>, S::Error>,
) -> Answer
where
    S::Error: Display,
{
    let asked = ask(question, open);
    match asked {
        Ok(answer) => answer,
        Err(Error::NoIpv6) => {
            Answer::error(404, "not-found", "the database has IPv4 addresses only")
        }
        // Gone, cut short, damaged, not granted: nothing that whoever asks could mend.
        Err(error) => unavailable(&error.to_string()),
    }
}

fn unavailable(reason: &str) -> Answer {
    Answer::error(503, "database-unavailable", reason)
}

fn ask<S: Source>(
    question: &Question,
    open: impl FnOnce() -> Result<Counted<S>, S::Error>,
) -> Result<Answer, Error<S::Error>> {
    let begin = Instant::now();
    let source = open().map_err(Error::Source)?;
    let end = mmdb::end(&source).map_err(Error::Source)?;
    let database = Database::open(&source)?;
    let opened = Instant::now();
    let opening_reads = source.take_reads();
    let (mut found, mut record) = look_up(&database, question)?;
    for _ in 1..question.repeat {
        (found, record) = look_up(&database, question)?;
    }
    let done = Instant::now();
    let lookup_reads = source.take_reads();
    if mmdb::end(&source).map_err(Error::Source)? != end {
        return Ok(unavailable("the file was cut short while it was read"));
    }

    let status = if record.is_some() { 200 } else { 404 };
    let metadata = database.metadata();
    let mut body = json!({
        "ip": question.ip.to_string(),
        "network": found.to_string(),
        "country": record.as_ref().and_then(country),
        "record": record,
        "via": question.via.name(),
        "window": source.near(),
        "repeat": question.repeat,
        "reads": { "open": opening_reads, "lookup": lookup_reads },
        "micros": { "open": micros(opened - begin), "lookup": micros(done - opened) },
        "database": { "type": metadata.database_type, "built": metadata.build_epoch },
    });
    if record.is_none() {
        body["error"] = "not-found".into();
        body["reason"] = format!("the database says nothing of {}", question.ip).into();
    }
    Ok(Answer::new(status, &body))
}

fn look_up<S: Source>(
    database: &Database<S>,
    question: &Question,
) -> Result<(mmdb::Network, Option<Value>), Error<S::Error>> {
    let answer = database.lookup(question.ip)?;
    let record = answer.record.map(|record| database.value(record)).transpose()?;
    Ok((answer.network, record))
}

/// The code of a country, as the common databases have it.
fn country(record: &Value) -> Option<&str> {
    let nested = || record.get("country")?.get("iso_code");
    record.get("country_code").or_else(nested)?.as_str()
}

fn micros(time: Duration) -> f64 {
    time.as_nanos() as f64 / 1000.0
}
