//! The limits of what a component may map, by the names that people write.

use crate::nearest::nearest;
use crate::values::bytes;
use iommap::Limits;
use std::fmt::Write as _;

/// One of the limits.
#[derive(Debug)]
struct Known {
    name: &'static str,
    about: &'static str,
    field: fn(&mut Limits) -> &mut u64,
}

const KNOWN: &[Known] = &[
    Known {
        name: "mappings",
        about: "mappings open at once",
        field: |limits| &mut limits.mappings,
    },
    Known {
        name: "handles",
        about: "handles of mappings held at once, closed ones too",
        field: |limits| &mut limits.handles,
    },
    Known {
        name: "mapped-bytes",
        about: "mapped at once, by all mappings together",
        field: |limits| &mut limits.mapped_bytes,
    },
    Known {
        name: "file-bytes",
        about: "the length to which a file may be created or grown",
        field: |limits| &mut limits.file_bytes,
    },
    Known {
        name: "call-bytes",
        about: "moved by one call; in a list of ranges each counts for 4K at least",
        field: |limits| &mut limits.call_bytes,
    },
    Known {
        name: "locked-bytes",
        about: "locked in memory at once: nothing may be, unless this is set",
        field: |limits| &mut limits.locked_bytes,
    },
    Known {
        name: "private-bytes",
        about: "written in private mappings: memory that cannot be evicted",
        field: |limits| &mut limits.private_bytes,
    },
    Known {
        name: "windows",
        about: "windows at once, pages of files in the component's memory: none, unless set",
        field: |limits| &mut limits.windows,
    },
    Known {
        name: "window-bytes",
        about: "in windows at once: none, unless set",
        field: |limits| &mut limits.window_bytes,
    },
    Known {
        name: "locks",
        about: "ranges of files locked at once, against other programs too: none, unless set",
        field: |limits| &mut limits.locks,
    },
    Known {
        name: "watches",
        about: "waits for changes of files at once; unless set, none is told of",
        field: |limits| &mut limits.watches,
    },
    Known {
        name: "waiters",
        about: "who waits on words of files at once: nobody, unless set",
        field: |limits| &mut limits.waiters,
    },
];

/// One limit and its value, as in `mapped-bytes=1G`.
#[derive(Clone, Copy, Debug)]
pub struct Limit {
    known: &'static Known,
    value: u64,
}

impl Limit {
    /// Reads `NAME=VALUE`; a [value parser](clap::builder::ValueParser) of clap's.
    ///
    /// # Errors
    ///
    /// There is no such limit, or the value is no number of bytes. The message says what to write.
    pub fn parse(text: &str) -> Result<Limit, String> {
        let Some((name, value)) = text.split_once('=') else {
            return Err(format!("write NAME=VALUE, where NAME is one of {}", names()));
        };
        let known = KNOWN.iter().find(|known| known.name == name).ok_or_else(|| unknown(name))?;
        Ok(Limit { known, value: bytes(value)? })
    }

    /// Sets this limit among others.
    pub fn apply(&self, limits: &mut Limits) {
        *(self.known.field)(limits) = self.value;
    }

    /// What a program's help says of its `--limit`: every limit with its default.
    pub fn help() -> String {
        let mut text = "Limit what the component may map. May be repeated\n\n\
            VALUE may end in K, M, G or T (powers of 1024). The limits, and what they are if not \
            set:\n"
            .to_owned();
        let mut defaults = Limits::default();
        for Known { name, about, field } in KNOWN {
            let value = short(*field(&mut defaults));
            _ = write!(text, "\n  {name:13}  {value:3}  {about}");
        }
        text
    }
}

fn unknown(name: &str) -> String {
    match nearest(name, KNOWN.iter().map(|known| known.name)) {
        Some(meant) => format!(
            "there is no limit `{name}`: did you mean `{meant}`? The limits are {}",
            names()
        ),
        None => format!("there is no limit `{name}`: the limits are {}", names()),
    }
}

fn names() -> String {
    let names: Vec<&str> = KNOWN.iter().map(|known| known.name).collect();
    names.join(", ")
}

/// A number as it would be written on a command line.
fn short(value: u64) -> String {
    let units = [(40, "T"), (30, "G"), (20, "M"), (10, "K")];
    let fits = |(power, _): &(u32, &str)| value > 0 && value.is_multiple_of(1 << power);
    match units.into_iter().find(fits) {
        Some((power, unit)) => format!("{}{unit}", value >> power),
        None => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_limit_is_set_by_its_name_and_no_other_is() {
        let mut limits = Limits::default();
        for (n, known) in KNOWN.iter().enumerate() {
            Limit::parse(&format!("{}={n}K", known.name)).unwrap().apply(&mut limits);
        }
        for (n, known) in KNOWN.iter().enumerate() {
            assert_eq!(*(known.field)(&mut limits), (n as u64) << 10, "{}", known.name);
        }
        let text = format!("{:?}", Limits::default());
        let fields = text.matches(": ").count();
        assert_eq!(fields, KNOWN.len(), "a limit without a name here: {text}");
    }

    #[test]
    fn a_limit_that_is_no_limit_is_told_the_names() {
        for text in ["mappings", "nonsense=1", "=1"] {
            let message = Limit::parse(text).unwrap_err();
            for known in KNOWN {
                assert!(message.contains(known.name), "{message}");
            }
        }
        assert!(Limit::parse("mappings=many").unwrap_err().contains("`many`"));
    }

    #[test]
    fn the_help_has_every_limit_with_its_default() {
        let help = Limit::help();
        for line in ["mapped-bytes   64G  mapped at once", "locked-bytes   0    locked"] {
            assert!(help.contains(line), "{help}");
        }
        assert_eq!(help.lines().count(), KNOWN.len() + 4, "{help}");
        assert_eq!(
            (short(1 << 40), short(1536), short(1025)),
            ("1T".into(), "1536".into(), "1025".into())
        );
    }
}
