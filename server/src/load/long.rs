//! The long run: the database is replaced and cut short under the requests, and what the server
//! uses is watched for what it keeps.

use crate::Args;
use crate::client::{self, Load};
use crate::disturb::Scene;
use crate::report::Report;
use crate::tally::Tally;
use crate::truth::Truth;
use crate::watch::{Sample, Watch};
use anyhow::{Context, Result, anyhow, ensure};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

/// How often it is looked at what the server uses.
const SAMPLES: u32 = 20;

/// How long a server is left alone before it counts as at rest.
const REST: Duration = Duration::from_millis(1500);

/// Makes the run and prints what came of it. Tells whether all was well.
pub(crate) async fn run(
    args: &Args,
    database: &Path,
    server: SocketAddr,
    pid: u32,
) -> Result<bool> {
    let content = std::fs::read(database);
    let content = content.with_context(|| format!("cannot read {}", database.display()))?;
    let truth = Truth::of(&content)?;
    let scene = Arc::new(Scene::new(database.to_owned(), content)?);
    let watch = Watch::new(pid);
    let load = Load { server, truth: &truth, scene: &scene, connections: args.connections };

    // What a server takes once and keeps is no leak: it is taken before the first sample.
    let warm_up = (args.time / 20).clamp(Duration::from_millis(500), Duration::from_secs(5));
    let warm = load.ask(Instant::now() + warm_up).await.context("the server was not warm yet")?;
    ensure!(warm.wrong.get() == 0, "wrong with nothing going on: {}", warm.first_wrong());
    let rest_before = at_rest(&watch).await?;

    let stop = Arc::new(AtomicBool::new(false));
    let disturber = std::thread::spawn({
        let (scene, stop, calm) = (scene.clone(), stop.clone(), args.calm);
        move || scene.disturb(calm, &stop)
    });
    let (tally, begin) = (Tally::new(), Instant::now());
    let asked = load.ask_into(&tally, begin + args.time);
    let loaded = tokio::try_join!(asked, watched(args.time, &watch, &tally, begin));
    let took = begin.elapsed();
    stop.store(true, Relaxed);
    let disturbed = disturber.join().map_err(|_| anyhow!("the disturber panicked"))??;
    let ((), samples) = loaded?;
    let rest_after = at_rest(&watch).await?;
    let metrics = client::metrics(server).await?;
    let (tally, connections) = (&tally, args.connections);
    let report =
        Report { tally, connections, took, disturbed, samples, rest_before, rest_after, metrics };
    println!("{report}");
    Ok(report.is_good())
}

/// Looks at the server again and again while it is loaded.
async fn watched(
    time: Duration,
    watch: &Watch,
    tally: &Tally,
    begin: Instant,
) -> Result<Vec<Sample>> {
    let mut samples = Vec::new();
    for part in 1..=SAMPLES {
        tokio::time::sleep_until((begin + time * part / SAMPLES).into()).await;
        samples.push(watch.sample(tally, begin.elapsed())?);
        eprint!("\r{:>9} requests", tally.done());
    }
    eprintln!();
    Ok(samples)
}

/// What the server uses when nobody asks anything.
async fn at_rest(watch: &Watch) -> Result<Sample> {
    tokio::time::sleep(REST).await;
    watch.sample(&Tally::new(), Duration::ZERO)
}
