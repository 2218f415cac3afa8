//! Sections of a document that a command writes: what stands between two marks.
//!
//! A document keeps its prose, and each command that measures or counts something owns the lines
//! between `<!-- begin: NAME -->` and `<!-- end: NAME -->`, each mark on a line of its own. A
//! command replaces its own sections and no other byte, so several commands, and people, can
//! write to one document.
//!
//! ```
//! # fn main() -> anyhow::Result<()> {
//! let page = "# Speed\n\n<!-- begin: load -->\nold\n<!-- end: load -->\n\nThe end.\n";
//! let page = xtask::sections::replace(page, "load", "| users |\n|---|\n| 100 |\n")?;
//! assert_eq!(xtask::sections::get(&page, "load")?.trim(), "| users |\n|---|\n| 100 |");
//! assert!(page.ends_with("\n<!-- end: load -->\n\nThe end.\n"));
//! # Ok(())
//! # }
//! ```

use anyhow::{Context, Result, ensure};
use std::fs;
use std::ops::Range;
use std::path::Path;

/// Replaces sections of the document at `path`, each a name and its new content: all of them, or
/// none if one is missing.
pub fn write(path: &Path, sections: &[(&str, &str)]) -> Result<()> {
    let read = fs::read_to_string(path);
    let mut text = read.with_context(|| format!("cannot read {}", path.display()))?;
    for (name, content) in sections {
        text = replace(&text, name, content)
            .with_context(|| format!("cannot write to {}", path.display()))?;
    }
    fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}

/// The document with other content in the section `name`, an empty line before and after it. The
/// rest stays as it is.
pub fn replace(text: &str, name: &str, content: &str) -> Result<String> {
    let Range { start, end } = place(text, name)?;
    // A mark in the content would make the document one that can't be written again.
    ensure!(
        !content.contains(&mark("begin", name)) && !content.contains(&mark("end", name)),
        "the content of section `{name}` holds one of its own marks"
    );
    let content = content.trim_matches('\n');
    Ok(format!("{}\n{content}\n\n{}", &text[..start], &text[end..]))
}

/// What stands in the section `name`.
pub fn get<'a>(text: &'a str, name: &str) -> Result<&'a str> {
    Ok(&text[place(text, name)?])
}

/// Where the lines between the marks of a section are.
fn place(text: &str, name: &str) -> Result<Range<usize>> {
    let begin = line(text, &mark("begin", name))?;
    let end = line(text, &mark("end", name))?;
    ensure!(begin.end <= end.start, "section `{name}` ends before it begins");
    Ok(begin.end..end.start)
}

/// Where the one line that reads `mark` is, its end of line included.
fn line(text: &str, mark: &str) -> Result<Range<usize>> {
    let mut at = 0;
    let mut found = text.split_inclusive('\n').filter_map(|line| {
        at += line.len();
        (line.trim_end() == mark).then_some(at - line.len()..at)
    });
    let place = found.next().with_context(|| format!("there is no line `{mark}`"))?;
    ensure!(found.next().is_none(), "there is more than one line `{mark}`");
    Ok(place)
}

fn mark(which: &str, name: &str) -> String {
    format!("<!-- {which}: {name} -->")
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "Before.\n\n<!-- begin: a -->\n\n1\n\n<!-- end: a -->\n\nBetween.\n\n\
                        <!-- begin: ab -->\n<!-- end: ab -->\nAfter, without an end of line.";

    #[test]
    fn given_two_sections_when_one_is_replaced_then_no_other_byte_changes() {
        let page = replace(PAGE, "a", "2\n3\n").unwrap();
        assert_eq!(page, PAGE.replace("\n1\n", "\n2\n3\n"));
        let page = replace(PAGE, "ab", "2").unwrap();
        assert_eq!(page, PAGE.replace("ab -->\n<!--", "ab -->\n\n2\n\n<!--"));
    }

    #[test]
    fn given_a_section_when_it_is_replaced_again_then_it_is_as_if_it_was_replaced_once() {
        let once = replace(PAGE, "a", "2").unwrap();
        assert_eq!(replace(&once, "a", "\n2\n\n").unwrap(), once);
        assert_eq!(get(&once, "a").unwrap(), "\n2\n\n");
        assert_eq!(get(&once, "ab").unwrap(), "");
    }

    #[test]
    fn given_marks_that_are_missing_or_doubled_or_turned_round_when_replaced_then_it_is_refused() {
        let refused = |text: &str| replace(text, "a", "2").unwrap_err().to_string();
        assert!(refused("nothing").contains("no line `<!-- begin: a -->`"));
        assert!(refused("<!-- begin: a -->\n").contains("no line `<!-- end: a -->`"));
        assert!(refused("see <!-- begin: a --> and <!-- end: a -->").contains("no line"));
        assert!(refused(&PAGE.repeat(2)).contains("more than one"));
        assert!(refused("<!-- end: a -->\n<!-- begin: a -->\n").contains("ends before"));
    }

    #[test]
    fn given_content_with_a_mark_when_it_is_written_then_it_is_refused() {
        assert!(replace(PAGE, "a", "<!-- end: a -->").is_err());
        assert!(replace(PAGE, "a", "<!-- end: ab -->").is_ok());
    }

    #[test]
    fn given_a_section_that_is_missing_when_several_are_written_then_the_file_stays() {
        let path = std::env::temp_dir().join(format!("sections-{}.md", std::process::id()));
        fs::write(&path, PAGE).unwrap();
        let refused = write(&path, &[("a", "2"), ("none", "2")]);
        let after = fs::read_to_string(&path).unwrap();
        let written = write(&path, &[("a", "2"), ("ab", "3")]);
        let last = fs::read_to_string(&path).unwrap();
        fs::remove_file(&path).unwrap();
        assert!(refused.is_err());
        assert_eq!(after, PAGE);
        written.unwrap();
        assert!(get(&last, "a").unwrap() == "\n2\n\n" && get(&last, "ab").unwrap() == "\n3\n\n");
    }
}
