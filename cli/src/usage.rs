//! Answers to a command line that is not one to carry out.

use crate::args::Cli;
use crate::nearest::nearest;
use crate::{exit, terminal};
use anyhow::Result;
use clap::CommandFactory;
use clap::error::{ContextKind, ContextValue, Error, ErrorKind};
use std::io::{self, Write};
use std::process::ExitCode;

/// Answers with help, the version, or what is wrong.
pub(crate) fn answer(mut error: Error) -> Result<ExitCode> {
    // It is of no help that `-- --optoin` would be taken for the name of a component.
    error.remove(ContextKind::Suggested);
    suggest(&mut error);
    let text = error.render().to_string();
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            terminal::print(text)?;
            return Ok(ExitCode::SUCCESS);
        }
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            _ = io::stderr().lock().write_all(text.as_bytes());
        }
        _ => match forgotten_run(&error) {
            Some(advice) => terminal::say(advice),
            None => terminal::say(text.strip_prefix("error: ").unwrap_or(&text).trim_end()),
        },
    }
    Ok(ExitCode::from(exit::SETUP_FAILED))
}

/// Adds the name that was meant, where clap finds none: it takes exchanged letters for other ones, as in
/// `rnu`.
fn suggest(error: &mut Error) {
    let mut command = Cli::command();
    // Options that are there for every command stand in each, then.
    command.build();
    if let Some(word) = text(error, ContextKind::InvalidSubcommand)
        && error.get(ContextKind::SuggestedSubcommand).is_none()
        && let Some(name) = nearest(word, command.get_subcommands().map(|one| one.get_name()))
    {
        let names = ContextValue::Strings(vec![name.to_owned()]);
        error.insert(ContextKind::SuggestedSubcommand, names);
    } else if let Some(flag) =
        text(error, ContextKind::InvalidArg).and_then(|word| word.strip_prefix("--"))
        && error.kind() == ErrorKind::UnknownArgument
        && error.get(ContextKind::SuggestedArg).is_none()
        && let Some(used) =
            std::env::args_os().skip(1).find_map(|word| command.find_subcommand(word))
        && let Some(name) = nearest(flag, used.get_arguments().filter_map(|one| one.get_long()))
    {
        let name = ContextValue::String(format!("--{name}"));
        error.insert(ContextKind::SuggestedArg, name);
    }
}

/// What to write where a component stands in the place of a command.
fn forgotten_run(error: &Error) -> Option<String> {
    let word = text(error, ContextKind::InvalidSubcommand)?;
    word.ends_with(".wasm").then(|| {
        let shown: String = word.chars().flat_map(char::escape_debug).collect();
        match quoted(word) {
            Some(word) => {
                format!("`{shown}` is no command: to run a component, write `iommap run {word}`")
            }
            // What a shell would take for it is hard to say in a line.
            None => {
                format!("`{shown}` is no command: to run a component, write `iommap run` before it")
            }
        }
    })
}

/// A word as it is written in a shell, unless that takes more than quotes.
fn quoted(word: &str) -> Option<String> {
    let plain = |c: char| c.is_alphanumeric() || "%+,-./:@_".contains(c);
    if word.chars().all(plain) {
        return Some(word.to_owned());
    }
    // What is shown otherwise than it is, such as control characters, would be another word there.
    let shown = |c: char| "'\"\\".contains(c) || c.escape_debug().count() == 1;
    word.chars().all(shown).then(|| format!("'{}'", word.replace('\'', r"'\''")))
}

fn text(error: &Error, kind: ContextKind) -> Option<&str> {
    match error.get(kind)? {
        ContextValue::String(text) => Some(text),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_suggested_word_is_what_a_shell_takes_for_it() {
        for (word, expected) in [
            ("target/wasm32-wasip2/a_b.wasm", "target/wasm32-wasip2/a_b.wasm"),
            ("na\u{ef}ve.wasm", "na\u{ef}ve.wasm"),
            ("my own.wasm", "'my own.wasm'"),
            ("it's my.wasm", r"'it'\''s my.wasm'"),
            (r"a\b.wasm", r"'a\b.wasm'"),
            ("$(rm).wasm", "'$(rm).wasm'"),
            ("~.wasm", "'~.wasm'"),
        ] {
            assert_eq!(quoted(word).as_deref(), Some(expected));
        }
        for odd in ["\n.wasm", "\u{1b}[2J.wasm", "\u{202e}.wasm"] {
            assert_eq!(quoted(odd), None, "{odd:?}");
        }
    }
}
