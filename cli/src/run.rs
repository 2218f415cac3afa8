//! `iommap run`: a component, from its file to its exit code.

use crate::args::Run;
use crate::component::Source;
use crate::ending::{Ending, Why};
use crate::log::Shown;
use crate::outcome::Outcome;
use crate::state::State;
use crate::stats::Stats;
use crate::{directories, engine, exit, lost, provided, refused, terminal};
use anyhow::{Context, Result};
use iommap::Usage;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::oneshot;
use wasmtime::Store;
use wasmtime_wasi::p2::bindings::CommandPre;

/// Runs a component and returns the exit code.
pub(crate) fn run(args: &Run, verbose: u8, shown: Shown) -> Result<u8> {
    let begin = Instant::now();
    // Before anything is looked at: a file system that hangs may hold the component, too.
    let ending = Ending::start()?;
    let source = Source::new(args.component());
    let path = source.path();
    // What takes no time comes first, so that a mistake there is seen at once.
    let state = State::new(args, &directories::check(&args.dirs)?)?;
    let component = if args.precompiled {
        engine::load(path)?
    } else {
        engine::compile(path, !args.cache.no_cache)?
    };
    let command = provided::link(path, &component)?;
    if state.usage().limits().windows > 0
        && let Err(unsupported) = iommap::windows::supported(component.engine())
    {
        terminal::note(format_args!("there are no windows: {unsupported}"));
    }

    let last_words = LastWords {
        source,
        verbose: verbose > 0,
        shown,
        usage: state.usage(),
        stats: args.stats,
        may_lose_pages: args.allow_lost_pages,
        loading: begin.elapsed(),
        start: Instant::now(),
    };
    let mut store = Store::new(component.engine(), state);
    store.limiter(State::limiter);
    let runtime = runtime()?;
    let if_ended = last_words.clone();
    let asked = ending.watch(args.timeout, move |why| {
        if_ended.say(&Outcome::Ended(why));
    });
    let outcome = runtime.block_on(unless(asked, start_command(&command, &mut store)));
    // What was lost in windows that are still there is counted when they end.
    drop(store);
    ending.is_over();
    // A thread that still waits for standard input would be waited for.
    runtime.shutdown_background();
    last_words.say(&outcome);
    let code = last_words.exit_code(&outcome);
    match terminal::flush() {
        // What a component wrote and did not flush is lost: that is no success.
        Err(error) if code == 0 => {
            terminal::say(format_args!("{error:#}"));
            Ok(1)
        }
        _ => Ok(code),
    }
}

async fn start_command(command: &CommandPre<State>, store: &mut Store<State>) -> Outcome {
    let command = match command.instantiate_async(&mut *store).await {
        Ok(command) => command,
        Err(error) => return Outcome::not_started(error),
    };
    match command.wasi_cli_run().call_run(store).await {
        Ok(Ok(())) => Outcome::Exit(0),
        Ok(Err(())) => Outcome::Exit(1),
        Err(error) => error.into(),
    }
}

/// Runs a component until its end, or until it is asked to end.
async fn unless(asked: oneshot::Receiver<Why>, run: impl Future<Output = Outcome>) -> Outcome {
    let (mut asked, mut run) = (pin!(asked), pin!(run));
    let mut may_be_asked = true;
    std::future::poll_fn(|context| {
        if may_be_asked && let Poll::Ready(answer) = asked.as_mut().poll(context) {
            match answer {
                Ok(why) => return Poll::Ready(Outcome::Ended(why)),
                Err(_) => may_be_asked = false,
            }
        }
        run.as_mut().poll(context)
    })
    .await
}

/// The component runs on the thread that calls; one more is there for what goes on beside it.
fn runtime() -> Result<Runtime> {
    Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .context("no thread can be started: raise the limit on processes (ulimit -u)")
}

/// What is said when a component has ended.
#[derive(Clone)]
struct LastWords {
    source: Source,
    verbose: bool,
    shown: Shown,
    usage: Arc<Usage>,
    stats: bool,
    may_lose_pages: bool,
    loading: Duration,
    start: Instant,
}

impl LastWords {
    fn say(&self, outcome: &Outcome) {
        let running = self.start.elapsed();
        outcome.explain(&self.source, self.verbose);
        let lost = self.lost_pages();
        if lost > 0 {
            terminal::say(format_args!(
                "lost pages in windows: {lost}. A file was cut short, or its device failed, and from \
                 there on the component read zeros"
            ));
        }
        if self.shown == Shown::Warnings
            && outcome.is_failure()
            && let Some(note) = refused::note(&self.usage)
        {
            terminal::note(note);
        }
        if self.stats {
            terminal::say(Stats { usage: &self.usage, loading: self.loading, running });
        }
    }

    /// How many of a file's pages were zeros to the component, unless that may be.
    fn lost_pages(&self) -> u64 {
        if self.may_lose_pages { 0 } else { lost::in_windows(&self.usage) }
    }

    /// What was made of zeros is no success, whatever the component made of it. A failure of its own
    /// says more.
    fn exit_code(&self, outcome: &Outcome) -> u8 {
        match outcome.exit_code() {
            0 if self.lost_pages() > 0 => exit::PAGES_LOST,
            code => code,
        }
    }
}
