//! The guests in each language: where they are, or why they are not there.

/// A language and its guests.
#[derive(Debug)]
pub struct Language {
    /// Its name.
    pub name: &'static str,
    driver: Option<&'static str>,
    sample: Option<&'static str>,
    skipped: Option<&'static str>,
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

    fn guest(&self, guest: Option<&'static str>) -> Option<&'static str> {
        if guest.is_none() {
            let why = self.skipped.unwrap_or("it was not built");
            eprintln!("skipped: guests in {}: {why}", self.name);
        }
        guest
    }
}

/// Rust: always there.
pub const RUST: Language = Language {
    name: "rust",
    driver: Some(env!("GUEST_DRIVER")),
    sample: Some(env!("GUEST_SEARCH")),
    skipped: None,
};

/// C.
pub const C: Language = Language {
    name: "c",
    driver: option_env!("GUEST_DRIVER_C"),
    sample: option_env!("GUEST_SEARCH_C"),
    skipped: option_env!("SKIPPED_C"),
};

/// JavaScript.
pub const JAVASCRIPT: Language = Language {
    name: "javascript",
    driver: option_env!("GUEST_DRIVER_JAVASCRIPT"),
    sample: option_env!("GUEST_LOGS"),
    skipped: option_env!("SKIPPED_JAVASCRIPT"),
};

/// Python.
pub const PYTHON: Language = Language {
    name: "python",
    driver: option_env!("GUEST_DRIVER_PYTHON"),
    sample: option_env!("GUEST_RECORDS"),
    skipped: option_env!("SKIPPED_PYTHON"),
};
