//! Which of the names that there are somebody meant who wrote another.

/// The name that is nearest to a word, if it is so near that the word may be a slip.
pub(crate) fn nearest<'a>(word: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // What is longer than any name is near to none, and is not compared.
    let word: Vec<char> = word.chars().take(64).collect();
    let near = |name: &'a str| {
        let edits = edits(&word, &name.chars().collect::<Vec<_>>());
        (edits <= (name.len() / 3).max(1)).then_some((edits, name))
    };
    names.into_iter().filter_map(near).min_by_key(|(edits, _)| *edits).map(|(_, name)| name)
}

/// How many letters have to be put in, left out, replaced, or exchanged with the next.
fn edits(a: &[char], b: &[char]) -> usize {
    let mut rows = vec![(0..=b.len()).collect::<Vec<usize>>()];
    for (i, letter) in a.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, other) in b.iter().enumerate() {
            let replaced = rows[i][j] + usize::from(letter != other);
            let mut least = replaced.min(rows[i][j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && *letter == b[j - 1] && a[i - 1] == *other {
                least = least.min(rows[i - 1][j - 1] + 1);
            }
            row.push(least);
        }
        rows.push(row);
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_near_and_another_word_is_not() {
        let names = ["run", "inspect", "compile", "windows", "window-bytes"];
        for (word, name) in [
            ("rnu", Some("run")),
            ("rn", Some("run")),
            ("inspct", Some("inspect")),
            ("complie", Some("compile")),
            ("window", Some("windows")),
            ("windowbytes", Some("window-bytes")),
            ("", None),
            ("serve", None),
            ("a.wasm", None),
        ] {
            assert_eq!(nearest(word, names), name, "{word}");
        }
        assert_eq!(nearest(&"run".repeat(1 << 20), names), None);
    }
}
