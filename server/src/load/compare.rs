//! The comparison: the same requests, on a database that nothing happens to, with the component
//! told to map it or to read it through `wasi:filesystem`.

use crate::Args;
use crate::client::Load;
use crate::disturb;
use crate::start::Scene;
use crate::tally::{Tally, Times};
use crate::truth::Truth;
use crate::watch::Watch;
use anyhow::{Context, Result, ensure};
use std::fs;
use std::time::{Duration, Instant};

/// How long the server is under load before it is measured.
const WARM_UP: Duration = Duration::from_secs(1);

/// How the file is read: a name for people, and options for the server.
const WAYS: [(&str, &[&str]); 2] = [
    ("mapped", &["--env", "LOOKUP_VIA=iommap"]),
    ("read, by `wasi:filesystem`", &["--env", "LOOKUP_VIA=wasi"]),
];

/// What one measurement found.
struct Found {
    /// Requests a second.
    rate: f64,
    times: Times,
    /// Memory that the kernel gave the server for each request, in bytes.
    touched: f64,
    /// Memory of its own beyond what it has at rest, for each connection, in bytes.
    held: f64,
}

/// Measures each way in turn, in rounds, and prints a table of the medians.
pub(crate) async fn run(args: &Args, scene: &Scene) -> Result<()> {
    let content = fs::read(&scene.database).context("cannot read the database")?;
    let truth = Truth::of(&content)?.known_at_once();
    let file = disturb::Scene::new(scene.database.clone(), content)?;
    let mut found: [Vec<Found>; WAYS.len()] = Default::default();
    for round in 1..=args.rounds {
        for ((name, options), found) in WAYS.iter().zip(&mut found) {
            eprintln!("round {round} of {}: {name}", args.rounds);
            found.push(measure(args, scene, &truth, &file, options).await?);
        }
    }
    println!(
        "Medians of {} rounds of {:?}, {} connections, the client on the same processors.\n\n\
         | the file is | requests a second | p50 | p99 | p99.9 | memory touched by a request | \
         held for a request under way |\n|---|---:|---:|---:|---:|---:|---:|",
        args.rounds, args.round_time, args.connections,
    );
    for ((name, _), found) in WAYS.iter().zip(&found) {
        let median = |value: &dyn Fn(&Found) -> f64| median(found.iter().map(value).collect());
        let ms =
            |time: fn(&Times) -> Duration| median(&|found| time(&found.times).as_secs_f64()) * 1e3;
        println!(
            "| {name} | {:.0} | {:.2} ms | {:.2} ms | {:.2} ms | {:.1} KiB | {:.0} KiB |",
            median(&|found| found.rate),
            ms(|times| times.p50),
            ms(|times| times.p99),
            ms(|times| times.p999),
            median(&|found| found.touched) / 1024.0,
            median(&|found| found.held) / 1024.0,
        );
    }
    println!();
    Ok(())
}

async fn measure(
    args: &Args,
    scene: &Scene,
    truth: &Truth,
    file: &disturb::Scene,
    options: &[&str],
) -> Result<Found> {
    let server = scene.start(options)?;
    let load = Load { server: server.address, truth, scene: file, connections: args.connections };
    let watch = Watch::new(server.pid());
    let sample = || watch.sample(&Tally::new(), Duration::ZERO);
    let rest = sample()?;
    load.ask(Instant::now() + WARM_UP).await?;
    let (before, begin) = (sample()?, Instant::now());
    let tally = load.ask(begin + args.round_time).await?;
    let (after, took) = (sample()?, begin.elapsed());
    ensure!(tally.wrong.get() == 0, "a wrong answer: {}", tally.first_wrong());
    ensure!(server.stop()?, "the server did not stop in order");
    let touched = (after.faults - before.faults) as f64 * rustix::param::page_size() as f64;
    Ok(Found {
        rate: tally.done() as f64 / took.as_secs_f64(),
        times: tally.times(),
        touched: touched / tally.done() as f64,
        held: after.own().saturating_sub(rest.own()) as f64 * 1024.0 / f64::from(args.connections),
    })
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    match values.len() {
        0 => f64::NAN,
        count if count % 2 == 1 => values[count / 2],
        count => values[count / 2 - 1].midpoint(values[count / 2]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_median_is_in_the_middle() {
        assert_eq!(median(vec![3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(vec![4.0, 1.0, 2.0, 3.0]), 2.5);
        assert!(median(vec![]).is_nan());
    }
}
