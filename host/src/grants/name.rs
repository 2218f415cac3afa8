//! The guest's name for a grant, and what paths have behind it.

/// A name in parts: `/data/in` is `data` and `in`, `.` has none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Name(Vec<String>);

impl Name {
    pub(super) fn new(guest_path: &str) -> Name {
        Name(parts(guest_path).map(|(part, _)| part.to_owned()).collect())
    }

    /// How many parts it has.
    pub(super) fn depth(&self) -> usize {
        self.0.len()
    }

    /// Is a path this name, with nothing behind it?
    pub(super) fn is(&self, path: &str) -> bool {
        self.behind(path) == Some("")
    }

    /// What is left of a path below this name; `.` if the path is the name itself.
    pub(super) fn strip<'p>(&self, path: &'p str) -> Option<&'p str> {
        // Relative to the grant, whatever the guest wrote; a trailing slash is kept, since it
        // says that a directory is meant.
        let rest = self.behind(path)?.trim_start_matches('/');
        Some(if rest.is_empty() { "." } else { rest })
    }

    /// What a path has behind this name.
    fn behind<'p>(&self, path: &'p str) -> Option<&'p str> {
        let mut rest = path;
        let mut found = parts(path);
        for name in &self.0 {
            let (part, after) = found.next()?;
            if part != name {
                return None;
            }
            rest = after;
        }
        Some(rest)
    }
}

/// The parts of a path, empty ones and `.` left out, each with what follows it.
fn parts(path: &str) -> impl Iterator<Item = (&str, &str)> {
    let mut rest = path;
    std::iter::from_fn(move || {
        loop {
            let start = rest.trim_start_matches('/');
            if start.is_empty() {
                return None;
            }
            let end = start.find('/').unwrap_or(start.len());
            let (part, after) = start.split_at(end);
            rest = after;
            if part != "." {
                return Some((part, after));
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shared_mapping_has_its_name_and_no_other() {
        let name = Name::new("/shared/index");
        for same in ["/shared/index", "shared/index", "./shared//./index"] {
            assert!(name.is(same), "{same}");
        }
        for other in ["/shared/index/", "/shared/index/.", "/shared/index/x", "/shared", "/x", ""] {
            assert!(!name.is(other), "{other}");
        }
    }
}
