//! Documents with sections that a command writes: what stands between two lines
//! `<!-- begin: NAME -->` and `<!-- end: NAME -->`. No other byte changes.

use anyhow::{Context, Result};
use iommap_artifacts::root;
use std::fs;
use std::path::Path;

/// Replaces the sections for which a directory has a file `NAME.md`.
pub(crate) fn write(document: impl AsRef<Path>, from: &Path) -> Result<()> {
    let path = root().join(document);
    let mut text = fs::read_to_string(&path).with_context(|| format!("{}", path.display()))?;
    for entry in fs::read_dir(from)? {
        let section = entry?.path();
        if section.extension().is_some_and(|extension| extension == "md") {
            let name = section.file_stem().unwrap_or_default().to_string_lossy();
            text = replaced(&text, &name, &fs::read_to_string(&section)?)?;
        }
    }
    fs::write(&path, text)?;
    println!("written to {}", path.display());
    Ok(())
}

/// A document with other content in one section.
pub(crate) fn replaced(text: &str, name: &str, content: &str) -> Result<String> {
    let (begin, end) = (format!("<!-- begin: {name} -->\n"), format!("<!-- end: {name} -->"));
    let parts = text.split_once(&begin).and_then(|(before, rest)| {
        let (_, after) = rest.split_once(&end)?;
        Some((before, after))
    });
    let (before, after) = parts.with_context(|| format!("there is no section `{name}`"))?;
    Ok(format!("{before}{begin}\n{}\n\n{end}{after}", content.trim_matches('\n')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_section_is_replaced_and_no_other_byte() {
        let page =
            "1\n<!-- begin: a -->\nold\n<!-- end: a -->\n2\n<!-- begin: ab -->\n<!-- end: ab -->";
        let other = replaced(page, "a", "new\n").unwrap();
        assert_eq!(other, page.replace("old", "\nnew\n"));
        assert_eq!(replaced(&other, "a", "new").unwrap(), other);
        assert!(replaced(page, "b", "new").is_err());
        assert!(replaced("<!-- begin: a -->\n", "a", "new").is_err());
    }
}
