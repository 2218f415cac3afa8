//! What is printed.

use std::io::{self, Write};
use std::net::IpAddr;

use mmdb::{Answer, Value};

use crate::database::Mapped;

/// One answer as a line.
pub(crate) fn answer(
    out: &mut impl Write,
    json: bool,
    address: IpAddr,
    answer: &Answer,
    record: Option<&Value>,
) -> io::Result<()> {
    if json {
        let line = serde_json::json!({
            "address": address,
            "network": answer.network.to_string(),
            "record": record,
        });
        return writeln!(out, "{line}");
    }
    write!(out, "{address}\t{}\t", answer.network)?;
    match record {
        None => write!(out, "-")?,
        Some(record) => {
            let mut fields = Vec::new();
            flatten(record, &mut String::new(), &mut fields);
            write!(out, "{}", fields.join(" "))?;
        }
    }
    writeln!(out)
}

/// `country.iso_code=IS` for each value in a record.
fn flatten(value: &Value, path: &mut String, fields: &mut Vec<String>) {
    let mut below = |name: &str, value| {
        let length = path.len();
        if length > 0 {
            path.push('.');
        }
        path.push_str(name);
        flatten(value, path, fields);
        path.truncate(length);
    };
    match value {
        Value::Map(entries) => entries.iter().for_each(|(name, value)| below(name, value)),
        Value::Array(values) => {
            values.iter().enumerate().for_each(|(n, value)| below(&n.to_string(), value));
        }
        Value::String(text) if !text.is_empty() && text.chars().all(is_plain) => {
            fields.push(format!("{path}={text}"));
        }
        // As JSON has it, in quotes and with nothing in it that steers a terminal.
        other => fields.push(match serde_json::to_string(other) {
            Ok(text) => format!("{path}={text}"),
            Err(error) => format!("{path}=({error})"),
        }),
    }
}

fn is_plain(character: char) -> bool {
    character.is_alphanumeric() || "-_.:/+".contains(character)
}

/// What the database says of itself.
pub(crate) fn info(database: &Mapped, json: bool) -> io::Result<()> {
    let mut out = io::stdout().lock();
    let Value::Map(entries) = &database.metadata().all else { return Ok(()) };
    if json {
        return writeln!(out, "{}", serde_json::to_string(&database.metadata().all)?);
    }
    for (name, value) in entries {
        match value {
            Value::String(text) => writeln!(out, "{name}: {}", text.escape_debug())?,
            other => writeln!(out, "{name}: {}", serde_json::to_string(other)?)?,
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use mmdb::{Bytes, Database, make::Maker};

    fn map(entries: &[(&str, Value)]) -> Value {
        Value::Map(entries.iter().map(|(name, value)| ((*name).into(), value.clone())).collect())
    }

    fn lines(record: &Value, address: &str) -> (String, String) {
        let file = Maker::new(6, 24).network("10.0.0.0/8", record).make();
        let database = Database::open(Bytes(file)).unwrap();
        let address = address.parse().unwrap();
        let found = database.lookup(address).unwrap();
        let record = found.record.map(|record| database.value(record).unwrap());
        let line = |json| {
            let mut line = Vec::new();
            answer(&mut line, json, address, &found, record.as_ref()).unwrap();
            String::from_utf8(line).unwrap()
        };
        (line(false), line(true))
    }

    #[test]
    fn records_are_one_line_each() {
        let text = |text: &str| Value::String(text.into());
        let record = map(&[
            (
                "country",
                map(&[("iso_code", text("IS")), ("names", map(&[("en", text("A \"b\"\n"))]))]),
            ),
            ("list", Value::Array(vec![Value::U32(7), Value::Bool(true)])),
            ("lat", Value::Double(64.5)),
        ]);
        let (plain, json) = lines(&record, "10.1.2.3");
        assert_eq!(
            plain,
            "10.1.2.3\t10.0.0.0/8\tcountry.iso_code=IS country.names.en=\"A \\\"b\\\"\\n\" \
             list.0=7 list.1=true lat=64.5\n"
        );
        assert_eq!(
            serde_json::from_str::<serde_json::Value>(&json).unwrap(),
            serde_json::json!({
                "address": "10.1.2.3",
                "network": "10.0.0.0/8",
                "record": {
                    "country": {"iso_code": "IS", "names": {"en": "A \"b\"\n"}},
                    "list": [7, true],
                    "lat": 64.5,
                },
            })
        );
    }

    #[test]
    fn no_record_is_told_from_an_empty_one() {
        let (plain, json) = lines(&map(&[]), "192.0.2.1");
        assert_eq!(plain, "192.0.2.1\t128.0.0.0/1\t-\n");
        assert!(json.contains("\"record\":null"), "{json}");
        let (plain, json) = lines(&map(&[]), "10.0.0.0");
        assert_eq!(plain, "10.0.0.0\t10.0.0.0/8\t\n");
        assert!(json.contains("\"record\":{}"), "{json}");
    }
}
