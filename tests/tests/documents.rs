//! What the documents say is there, is there: the tests that SECURITY.md cites, and what links and
//! file names point to.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::{Component, Path, PathBuf};

/// The root of the clone.
fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// Calls `visit` with each file below `dir`, but for what is built or hidden.
fn walk(dir: &Path, visit: &mut impl FnMut(&Path)) {
    for entry in fs::read_dir(dir).unwrap() {
        let entry = entry.unwrap();
        let (path, name) = (entry.path(), entry.file_name().into_string().unwrap());
        let kind = entry.file_type().unwrap();
        if kind.is_file() {
            visit(&path);
        } else if kind.is_dir()
            && !name.starts_with('.')
            && !["target", "node_modules"].contains(&&*name)
        {
            walk(&path, visit);
        }
    }
}

/// Path and text of each file of the tree with this extension. Paths begin at the root.
fn files(extension: &str) -> BTreeMap<PathBuf, String> {
    let mut files = BTreeMap::new();
    walk(root(), &mut |path| {
        if path.extension().is_some_and(|found| found == extension) {
            let name = path.strip_prefix(root()).unwrap().to_owned();
            files.insert(name, fs::read_to_string(path).unwrap());
        }
    });
    files
}

/// The names of a source's tests and public functions, and whether each is a test.
fn functions(source: &str) -> Vec<(&str, bool)> {
    let mut functions = Vec::new();
    let mut test = false;
    for line in source.lines().map(str::trim) {
        if line == "#[test]" {
            test = true;
        } else if let Some((_, rest)) = line.split_once("fn ") {
            let end = rest.find(|c: char| c != '_' && !c.is_ascii_alphanumeric());
            if test || line.starts_with("pub ") {
                functions.push((&rest[..end.unwrap_or(rest.len())], test));
            }
            test = false;
        }
    }
    functions
}

/// What stands in backquotes in a document. Fenced code is left out.
fn quoted(document: &str) -> impl Iterator<Item = &str> {
    prose(document).flat_map(|line| line.split('`').skip(1).step_by(2))
}

/// The lines of a document that are no fenced code.
fn prose(document: &str) -> impl Iterator<Item = &str> {
    let mut fenced = false;
    document.lines().filter(move |line| {
        let fence = line.trim_start().starts_with("```");
        fenced ^= fence;
        !fence && !fenced
    })
}

#[test]
fn each_test_that_security_cites_exists() {
    let security = fs::read_to_string(root().join("SECURITY.md")).unwrap();
    let is_name = |text: &str| {
        text.matches('_').count() >= 3
            && text.bytes().all(|b| b == b'_' || b.is_ascii_lowercase() || b.is_ascii_digit())
    };
    let cited: BTreeSet<&str> = quoted(&security).filter(|name| is_name(name)).collect();
    assert!(cited.len() > 50, "only {} names were found in SECURITY.md", cited.len());

    let sources = files("rs");
    let known: BTreeSet<&str> =
        sources.values().flat_map(|source| functions(source)).map(|(name, _)| name).collect();
    let missing: Vec<_> = cited.difference(&known).collect();
    assert!(missing.is_empty(), "SECURITY.md cites tests that don't exist: {missing:#?}");
}

#[test]
fn names_of_tests_fit_on_a_line() {
    let mut long = BTreeSet::new();
    for (path, source) in files("rs") {
        for (name, test) in functions(&source) {
            if test && name.len() >= 70 {
                long.insert(format!("{}: {name}", path.display()));
            }
        }
    }
    assert!(long.is_empty(), "70 characters and more: {long:#?}");
}

/// The targets of a document's links, with what is in backquotes left out.
fn links(document: &str) -> Vec<String> {
    let mut links = Vec::new();
    for line in prose(document) {
        let text: String = line.split('`').step_by(2).collect::<Vec<_>>().join("``");
        for (at, _) in text.match_indices("](") {
            let target = &text[at + 2..];
            if let Some(end) = target.find([')', ' ']) {
                links.push(target[..end].trim_matches(['<', '>']).to_owned());
            }
        }
    }
    links
}

/// The names by which the headings of a document can be linked to, as GitHub makes them.
fn anchors(document: &str) -> BTreeSet<String> {
    let headings = prose(document).filter(|line| line.starts_with('#'));
    headings
        .map(|line| {
            let text = line.trim_start_matches('#').trim().to_lowercase();
            let kept = text.chars().filter(|c| c.is_alphanumeric() || [' ', '-', '_'].contains(c));
            kept.map(|c| if c == ' ' { '-' } else { c }).collect()
        })
        .collect()
}

/// A path without `.` and `..`.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for component in path.components() {
        match component {
            Component::ParentDir => _ = plain.pop(),
            Component::CurDir => {}
            other => plain.push(other),
        }
    }
    plain
}

#[test]
fn what_documents_link_to_exists() {
    let documents = files("md");
    let mut broken = String::new();
    for (path, document) in &documents {
        for link in links(document) {
            if link.contains("://") || link.starts_with("mailto:") {
                continue;
            }
            let (to, anchor) = match link.split_once('#') {
                Some((to, anchor)) => (to, Some(anchor)),
                None => (&*link, None),
            };
            let to = match to {
                "" => path.clone(),
                to => plain(&path.parent().unwrap().join(to)),
            };
            let exists = root().join(&to).exists();
            let heading = match (anchor, documents.get(&to)) {
                (Some(anchor), Some(document)) => anchors(document).contains(anchor),
                _ => true,
            };
            if !exists || !heading {
                writeln!(broken, "{}: {link}", path.display()).unwrap();
            }
        }
    }
    assert!(broken.is_empty(), "links that lead nowhere:\n{broken}");
}

#[test]
fn files_that_documents_name_exist() {
    let mut broken = String::new();
    for (path, document) in files("md") {
        // One tells of what is no more, the others of what they are made into.
        if path == Path::new("CHANGELOG.md") || path.starts_with("cli/templates") {
            continue;
        }
        let folder = path.parent().unwrap();
        for name in quoted(&document) {
            let of_the_tree = |folder: &str| root().join(folder).is_dir() && !folder.is_empty();
            let is_file = name.split_once('/').is_some_and(|(folder, _)| of_the_tree(folder))
                && !name.contains([' ', '*', ':', '<', '$', '…'])
                && [".rs", ".md", ".toml", ".txt", ".wit", ".wat", ".sh", ".json", ".yml"]
                    .iter()
                    .any(|ending| name.ends_with(ending));
            let exists = |name: &Path| root().join(name).exists();
            if is_file && !exists(Path::new(name)) && !exists(&folder.join(name)) {
                writeln!(broken, "{}: {name}", path.display()).unwrap();
            }
        }
    }
    assert!(broken.is_empty(), "files that are not there:\n{broken}");
}
