//! The page at `/`: its parts, put into one file that needs nothing from elsewhere.

use std::sync::LazyLock;

const PAGE: &str = include_str!("page/page.html");
const STYLE: &str = include_str!("page/style.css");
const SCRIPT: &str = include_str!("page/script.js");
const HISTORY: &str = include_str!("page/history.js");

/// What the page says of its timings in a build that is not for measuring.
const DEBUG_NOTE: &str = "<p class=\"note\">This server was built without optimisations: for \
                          timings that mean something, <code>cargo xtask serve --release</code>.</p>";

/// The whole page.
pub(crate) fn whole() -> &'static str {
    static WHOLE: LazyLock<String> = LazyLock::new(|| {
        PAGE.replace("/* style */", STYLE)
            .replace("/* script */", SCRIPT)
            .replace("/* history */", HISTORY)
            .replace("<!-- build -->", if cfg!(debug_assertions) { DEBUG_NOTE } else { "" })
    });
    &WHOLE
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_is_in_its_place() {
        for part in ["<form", ":root", "async function"] {
            assert!(whole().contains(part), "{part}");
        }
        for left in ["/* style */", "/* script */", "/* history */", "<!-- build -->"] {
            assert!(!whole().contains(left), "{left}");
        }
    }
}
