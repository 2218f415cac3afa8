//! `iommap-load`: asks a server for addresses, many at once, while the database under it is
//! replaced and cut short, holds every answer to what it must be, and watches what the server uses.
//!
//! Reading order: [`truth`] (what must be answered), [`mod@file`] (what happens to the database),
//! [`client`] (asking), [`watch`] (what the server uses) and [`report`].

mod client;
mod file;
mod report;
mod truth;
mod watch;

use anyhow::{Context, Result, ensure};
use clap::Parser;
use client::Tally;
use file::Scene;
use report::Report;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};
use truth::Truth;
use watch::{Sample, Watch};

/// Loads a server of the component `lookup`, and holds its answers to what they must be
#[derive(Debug, Parser)]
#[command(name = "iommap-load", version)]
enum Command {
    Run(Args),
    List(List),
}

/// List what can be asked for, one target a line, for other programs that make requests
#[derive(Debug, clap::Args)]
struct List {
    /// The database that the server answers from
    #[arg(long, value_name = "FILE")]
    database: PathBuf,

    /// The list
    #[arg(long, value_name = "FILE")]
    into: PathBuf,
}

/// Ask for addresses while the database is replaced and cut short
#[derive(Debug, clap::Args)]
struct Args {
    /// Where the server listens
    #[arg(long, value_name = "ADDRESS")]
    server: SocketAddr,

    /// The server's process, to watch what it uses
    #[arg(long)]
    pid: u32,

    /// The database that the server answers from: it is replaced and cut, so give it a copy
    #[arg(long, value_name = "FILE")]
    database: PathBuf,

    /// How many requests to make
    #[arg(long, value_name = "NUMBER", default_value_t = 2_000_000)]
    requests: u64,

    /// How many connections to make them on
    #[arg(long, value_name = "NUMBER", default_value_t = 32)]
    connections: u32,

    /// How long the database stays as it is, in milliseconds
    #[arg(long, value_name = "MILLISECONDS", default_value_t = 400)]
    calm: u64,

    /// How often to look at what the server uses
    #[arg(long, value_name = "NUMBER", default_value_t = 20)]
    samples: u64,

    /// When to give up, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 1800)]
    at_most: u64,
}

fn main() -> ExitCode {
    let done = match Command::parse() {
        Command::Run(args) => run(&args),
        Command::List(args) => list(&args).map(|()| true),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("iommap-load: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn read(database: &Path) -> Result<Vec<u8>> {
    std::fs::read(database).with_context(|| format!("cannot read {}", database.display()))
}

fn list(args: &List) -> Result<()> {
    let truth = Truth::of(&read(&args.database)?)?;
    let list = truth.found_at_once().map(|target| format!("{target}\n")).collect::<String>();
    std::fs::write(&args.into, list)
        .with_context(|| format!("cannot write {}", args.into.display()))
}

fn run(args: &Args) -> Result<bool> {
    let bytes = read(&args.database)?;
    let truth = Arc::new(Truth::of(&bytes)?);
    let scene = Arc::new(Scene::new(args.database.clone(), bytes)?);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(load(args, truth, scene))
}

async fn load(args: &Args, truth: Arc<Truth>, scene: Arc<Scene>) -> Result<bool> {
    let watch = Watch::new(args.pid);
    let tally = Arc::new(Tally::new(args.requests));
    // What a server takes once and keeps is no leak: it is taken before the first sample.
    let warm = Arc::new(Tally::new((args.requests / 20).clamp(200, 20_000)));
    ask(args, &truth, &scene, &warm).await.context("the server was not warm yet")?;
    ensure!(warm.wrong() == 0, "wrong answers with nothing going on: {}", warm.first_wrong());
    let rest_before = settled(&watch).await?;

    let stop = Arc::new(AtomicBool::new(false));
    let disturber = {
        let (scene, stop, calm) = (scene.clone(), stop.clone(), Duration::from_millis(args.calm));
        std::thread::spawn(move || scene.disturb(calm, &stop))
    };
    let begin = Instant::now();
    let watched = watched(args, &watch, &tally, begin);
    let limit = Duration::from_secs(args.at_most);
    let loaded = tokio::time::timeout(limit, async {
        tokio::try_join!(ask(args, &truth, &scene, &tally), watched)
    });
    let loaded = loaded.await;
    let took = begin.elapsed();
    stop.store(true, Relaxed);
    let disturbed = disturber.join().map_err(|_| anyhow::anyhow!("the disturber panicked"))??;
    let ((), samples) = loaded.context("it took too long")??;
    let rest_after = settled(&watch).await?;
    let metrics = client::metrics(args.server).await?;
    let report =
        Report { tally: &tally, took, disturbed, samples, rest_before, rest_after, metrics };
    println!("{report}");
    Ok(report.is_good())
}

/// Makes the requests, on all connections at once.
async fn ask(
    args: &Args,
    truth: &Arc<Truth>,
    scene: &Arc<Scene>,
    tally: &Arc<Tally>,
) -> Result<()> {
    let mut clients = tokio::task::JoinSet::new();
    for seed in 1..=args.connections {
        let (truth, scene, tally) = (truth.clone(), scene.clone(), tally.clone());
        clients.spawn(client::ask(args.server, seed, truth, scene, tally));
    }
    while let Some(client) = clients.join_next().await {
        client??;
    }
    Ok(())
}

/// Looks at the server each time another part of the requests is done.
async fn watched(args: &Args, watch: &Watch, tally: &Tally, begin: Instant) -> Result<Vec<Sample>> {
    let mut samples = Vec::new();
    for part in 1..=args.samples {
        let goal = args.requests * part / args.samples;
        while tally.done() < goal {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        samples.push(watch.sample(tally, begin.elapsed())?);
        eprint!("\r{:>9} requests", tally.done());
    }
    eprintln!();
    Ok(samples)
}

/// What the server uses when nobody asks anything.
async fn settled(watch: &Watch) -> Result<Sample> {
    tokio::time::sleep(Duration::from_millis(1500)).await;
    watch.sample(&Tally::new(0), Duration::ZERO)
}
