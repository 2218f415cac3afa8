//! Makes a set of words and asks it, by the crate `fst` as it is on crates.io, in a file that is mapped by
//! `memmap2`: in a component, and natively.

use fst::automaton::{Levenshtein, Str, Subsequence};
use fst::set::StreamBuilder;
use fst::{Automaton, IntoStreamer, Set, SetBuilder, Streamer};
use memmap2::Mmap;
use std::error::Error;
use std::fs::File;
use std::hint::black_box;
use std::io::{BufWriter, Write, stdin, stdout};
use std::process::ExitCode;
use std::time::Instant;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

const USAGE: &str = "\
usage: mmap-fst SET build < WORDS
       mmap-fst SET --bench [SEED]
       mmap-fst SET [QUESTION...], or one a line on standard input:
    word    is it there?            from..to  words from one to before the other
    word*   those that start so     word~     those that one letter apart makes
    w?d     those that have these letters in this order";

/// So many words are shown of those that are found.
const SHOWN: usize = 5;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("mmap-fst: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    let mut args = std::env::args().skip(1);
    let path = args.next().ok_or(USAGE)?;
    let rest: Vec<String> = args.collect();
    let rest: Vec<&str> = rest.iter().map(String::as_str).collect();
    if rest == ["build"] {
        return build(&path);
    }
    // SAFETY: sets are replaced by renaming, and never written or cut.
    let set = Set::new(unsafe { Mmap::map(&File::open(&path)?) }?)?;
    match rest[..] {
        [] => stdin().lines().try_for_each(|line| say(&set, line?.trim())),
        ["--bench"] => bench(&set, 1),
        ["--bench", seed] => bench(&set, seed.parse()?),
        _ => rest.iter().try_for_each(|question| say(&set, question)),
    }
}

fn build(path: &str) -> Result<()> {
    let mut words = stdin().lines().collect::<std::result::Result<Vec<_>, _>>()?;
    words.sort_unstable();
    words.dedup();
    let mut set = SetBuilder::new(BufWriter::new(File::create(path)?))?;
    set.extend_iter(&words)?;
    set.into_inner()?.flush()?;
    println!("{} words", words.len());
    Ok(())
}

fn say(set: &Set<Mmap>, question: &str) -> Result<()> {
    let answer = answer(set, question)?;
    believe()?;
    writeln!(stdout(), "{question}\t{answer}")?;
    Ok(())
}

/// Was all that was read in the file? `fst` reads a slice, and where a page was lost, zeros. Elsewhere
/// a lost page is a signal.
fn believe() -> Result<()> {
    #[cfg(target_arch = "wasm32")]
    if iommap_guest::lost() {
        return Err("the set was cut short while it was being read".into());
    }
    Ok(())
}

fn answer(set: &Set<Mmap>, question: &str) -> Result<String> {
    Ok(if let Some((from, to)) = question.split_once("..") {
        found(set.range().ge(from).lt(to))
    } else if let Some(start) = question.strip_suffix('*') {
        found(set.search(Str::new(start).starts_with()))
    } else if let Some(word) = question.strip_suffix('~') {
        found(set.search(Levenshtein::new(word, 1)?))
    } else if question.contains('?') {
        found(set.search(Subsequence::new(&question.replace('?', ""))))
    } else {
        let is_there = set.contains(question);
        if is_there { "yes" } else { "no" }.into()
    })
}

/// How many words were found, and the first of them.
fn found<'s, A: Automaton>(words: StreamBuilder<'s, A>) -> String {
    let (mut count, mut shown) = (0, String::new());
    let mut words = words.into_stream();
    while let Some(word) = words.next() {
        count += 1;
        if count <= SHOWN {
            shown = format!("{shown} {}", String::from_utf8_lossy(word));
        }
    }
    format!("{count}:{shown}")
}

/// How many letters the first of the words found have.
fn letters<'s, A: Automaton>(words: StreamBuilder<'s, A>, first: usize) -> usize {
    let mut words = words.into_stream();
    let mut sum = 0;
    for _ in 0..first {
        let Some(word) = words.next() else { break };
        sum += word.len();
    }
    sum
}

/// Asks questions of each kind about words of the set: how many a second, and what the answers amount
/// to, to compare them by.
fn bench(set: &Set<Mmap>, seed: u64) -> Result<()> {
    let mut random = fastrand::Rng::with_seed(seed);
    let step = (set.len() / 100_000).max(1);
    let (mut words, mut all, mut at) = (Vec::new(), set.stream(), 0);
    while let Some(word) = all.next() {
        if at % step == 0 {
            words.push(String::from_utf8(word.to_vec())?);
        }
        at += 1;
    }
    // Of numbers of 64 bits, so that it is the same order everywhere.
    words.sort_by_cached_key(|_| random.u64(..));
    // Every other one is hardly a word.
    let asked = |word: &String, at: usize| {
        if at.is_multiple_of(2) { word.clone() } else { format!("{word}q") }
    };
    let exact: Vec<String> = words.iter().enumerate().map(|(at, word)| asked(word, at)).collect();
    measure("exact", &exact, |word| set.contains(word).into());
    let some = &words[..words.len().min(20_000)];
    measure("range", some, |word| letters(set.range().gt(word), 10));
    let starts: Vec<String> = some.iter().map(|word| word.chars().take(6).collect()).collect();
    measure("prefix", &starts, |start| letters(set.search(Str::new(start).starts_with()), 10));
    let near = words.iter().take(200).map(|word| Levenshtein::new(word, 1));
    let near = near.collect::<std::result::Result<Vec<_>, _>>()?;
    measure("one letter apart", &near, |near| letters(set.search(near), 10));
    believe()
}

fn measure<T>(kind: &str, questions: &[T], ask: impl Fn(&T) -> usize) {
    let (mut best, mut sum) = (f64::MAX, 0);
    for _ in 0..5 {
        let start = Instant::now();
        sum = questions.iter().map(|question| black_box(ask(question))).sum();
        best = best.min(start.elapsed().as_secs_f64());
    }
    let rate = questions.len() as f64 / best.max(1e-9);
    println!("{kind}: {rate:.0} a second; {} questions, {sum}", questions.len());
}
