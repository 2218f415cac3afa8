//! What is said of refused calls after a component that failed: one of them may be why.

use iommap::{ErrorKind, Usage};

/// The first of them with its reason, how many there were, and how to see each.
pub(crate) fn note(usage: &Usage) -> Option<String> {
    let first = usage.first_refusal()?;
    let counts: Vec<(u64, &str)> = ErrorKind::ALL
        .iter()
        .map(|kind| (usage.refused(*kind), kind.name()))
        .filter(|(count, _)| *count > 0)
        .collect();
    let how = "-v or IOMMAP_LOG=iommap=debug shows";
    Some(match counts[..] {
        [(1, code)] => {
            format!("1 call to iommap was refused ({code}), which may be why: {first}. {how} more")
        }
        _ => {
            let all: u64 = counts.iter().map(|(count, _)| count).sum();
            let kinds: Vec<String> =
                counts.iter().map(|(count, code)| format!("{count} {code}")).collect();
            format!(
                "{all} calls to iommap were refused ({}), which may be why. The first: {first}. {how} \
                 each",
                kinds.join(", ")
            )
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use iommap::Limits;

    #[test]
    fn of_nothing_refused_nothing_is_said() {
        assert_eq!(note(&Usage::new(Limits::default())), None);
    }
}
