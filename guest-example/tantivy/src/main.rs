//! Full-text search by the crate `tantivy` as it is on crates.io, in an index that is mapped by `memmap2`: in
//! a component, and natively.

mod directory;
#[cfg(target_arch = "wasm32")]
mod realloc;

use directory::Mapped;
use std::error::Error;
use std::hint::black_box;
use std::io::{Write, stdin, stdout};
use std::process::ExitCode;
use std::time::Instant;
use tantivy::collector::{Count, TopDocs};
use tantivy::query::QueryParser;
use tantivy::schema::{STORED, Schema, TEXT, Value};
use tantivy::{Index, IndexSettings, ReloadPolicy, Searcher, TantivyDocument, doc};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

const USAGE: &str =
    "usage: mmap-tantivy DIRECTORY (build < LINES | --bench QUERY... | QUERY... | < QUERIES)";

/// So much memory has the index before it is written.
const BUDGET: usize = 100 << 20;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("mmap-tantivy: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    let mut args = std::env::args().skip(1);
    let directory = Mapped(args.next().ok_or(USAGE)?.into());
    let rest: Vec<String> = args.collect();
    if rest == ["build"] {
        return build(directory);
    }
    let index = Index::open(directory)?;
    // By hand: what watches for changes is a thread.
    let reader = index.reader_builder().reload_policy(ReloadPolicy::Manual).try_into()?;
    let searcher = reader.searcher();
    let text = index.schema().get_field("text")?;
    let queries = QueryParser::for_index(&index, vec![text]);
    match rest.first().map(String::as_str) {
        Some("--bench") => bench(&searcher, &queries, &rest[1..]),
        Some(_) => rest.iter().try_for_each(|query| say(&searcher, &queries, query)),
        None => stdin().lines().try_for_each(|query| say(&searcher, &queries, query?.trim())),
    }
}

/// Each line is a document. One segment, since several would be made by as many threads.
fn build(directory: Mapped) -> Result<()> {
    let mut schema = Schema::builder();
    let text = schema.add_text_field("text", TEXT | STORED);
    let settings =
        IndexSettings { docstore_compress_dedicated_thread: false, ..IndexSettings::default() };
    let mut index = Index::builder()
        .schema(schema.build())
        .settings(settings)
        .single_segment_index_writer::<TantivyDocument>(directory, BUDGET)?;
    let mut count = 0;
    for line in stdin().lines() {
        index.add_document(doc!(text => line?))?;
        count += 1;
    }
    index.finalize()?;
    println!("{count} documents");
    Ok(())
}

fn say(searcher: &Searcher, queries: &QueryParser, query: &str) -> Result<()> {
    let found = queries.parse_query(query)?;
    let best = TopDocs::with_limit(3).order_by_score();
    let (count, best) = searcher.search(&found, &(Count, best))?;
    let mut answer = format!("{query}\t{count} documents");
    for (score, address) in best {
        let document: TantivyDocument = searcher.doc(address)?;
        let text = document.get_first(searcher.schema().get_field("text")?);
        let text = text.and_then(|text| text.as_str()).unwrap_or_default();
        answer = format!("{answer}\t{score:.4} {}", text.trim());
    }
    believe()?;
    writeln!(stdout(), "{answer}")?;
    Ok(())
}

/// Was all that was read in the files? `tantivy` reads slices, and where a page was lost, zeros.
/// Elsewhere a lost page is a signal.
fn believe() -> Result<()> {
    #[cfg(target_arch = "wasm32")]
    if iommap_guest::lost() {
        return Err("the index was cut short while it was being read".into());
    }
    Ok(())
}

/// Answers each query many times: how many a second.
fn bench(searcher: &Searcher, queries: &QueryParser, asked: &[String]) -> Result<()> {
    const TIMES: usize = 20;
    for query in asked {
        let found = queries.parse_query(query)?;
        let (mut best, mut count) = (f64::MAX, 0);
        for _ in 0..5 {
            let start = Instant::now();
            for _ in 0..TIMES {
                let top = TopDocs::with_limit(10).order_by_score();
                count = black_box(searcher.search(&found, &(Count, top))?).0;
            }
            best = best.min(start.elapsed().as_secs_f64());
        }
        let rate = TIMES as f64 / best.max(1e-9);
        println!("{query}: {rate:.0} a second; {count} documents");
    }
    believe()
}
