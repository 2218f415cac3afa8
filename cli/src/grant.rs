//! What `--dir` takes: which directory, under which name, and whether it may be written.

use std::path::PathBuf;

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
    pub(crate) fn parse(text: &str) -> Result<Grant, String> {
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

    /// What would have been meant by somebody who is used to other programs, which part their
    /// arguments by one colon.
    pub(crate) fn with_double_colons(&self) -> Option<String> {
        let parts: Vec<&str> = self.text.split(':').collect();
        (!self.text.contains("::") && parts.len() > 1).then(|| parts.join("::"))
    }

    /// The guest's name, free of what does not matter in it.
    pub(crate) fn name(&self) -> String {
        let parts = self.guest.split('/').filter(|part| !matches!(*part, "" | "."));
        parts.collect::<Vec<_>>().join("/")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grant(text: &str) -> Result<(String, String, bool), String> {
        let Grant { host, guest, read_only, .. } = Grant::parse(text)?;
        Ok((host.display().to_string(), guest, read_only))
    }

    #[test]
    fn a_guest_sees_the_name_that_it_is_given() {
        let is = |host: &str, guest: &str, read_only| Ok((host.into(), guest.into(), read_only));
        assert_eq!(grant("."), is(".", ".", false));
        assert_eq!(grant("/a b::/data"), is("/a b", "/data", false));
        assert_eq!(grant("x::y::ro"), is("x", "y", true));
        assert_eq!(grant("x::y::rw"), is("x", "y", false));
        assert_eq!(grant("x::ro::ro"), is("x", "ro", true));
        assert_eq!(grant("c:x"), is("c:x", "c:x", false));
    }

    #[test]
    fn what_could_mean_anything_is_told_what_to_write() {
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
    fn single_colons_are_doubled() {
        let doubled = |text| Grant::parse(text).unwrap().with_double_colons();
        assert_eq!(doubled(".:/data").as_deref(), Some(".::/data"));
        assert_eq!(doubled(".:/data:ro").as_deref(), Some(".::/data::ro"));
        assert_eq!((doubled("x"), doubled("x::y:z")), (None, None));
    }

    #[test]
    fn names_that_mean_the_same_are_the_same() {
        let name = |guest: &str| Grant::parse(&format!("x::{guest}")).unwrap().name();
        for guest in ["/a/b", "a/b", "./a//b/"] {
            assert_eq!(name(guest), "a/b");
        }
        assert_eq!(name("/"), name("."));
        assert_ne!(name("a"), name("../a"));
    }
}
