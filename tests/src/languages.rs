//! The guests in each language: where they are, or why they are not there.

use iommap_artifacts::try_guest;

/// A language and its guests.
#[derive(Debug)]
pub struct Language {
    /// Its name.
    pub name: &'static str,
    driver: &'static str,
    sample: &'static str,
}

impl Language {
    /// The driver in this language. Without one it is said why.
    pub fn driver(&self) -> Option<&'static str> {
        self.guest(self.driver)
    }

    /// The sample guest in this language. Without one it is said why.
    pub fn sample(&self) -> Option<&'static str> {
        self.guest(self.sample)
    }

    fn guest(&self, name: &str) -> Option<&'static str> {
        let guest = try_guest(name);
        guest.map_err(|why| eprintln!("skipped: guests in {}: {why}", self.name)).ok()
    }
}

/// Rust: always there.
pub const RUST: Language = Language { name: "rust", driver: "driver", sample: "search" };

/// C.
pub const C: Language = Language { name: "c", driver: "driver-c", sample: "search-c" };

/// JavaScript.
pub const JAVASCRIPT: Language =
    Language { name: "javascript", driver: "driver-javascript", sample: "logs" };

/// Python.
pub const PYTHON: Language =
    Language { name: "python", driver: "driver-python", sample: "records" };
