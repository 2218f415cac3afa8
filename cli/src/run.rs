//! `iommap run`: a component, from its file to its exit code.

use crate::args::Run;
use crate::engine::{self, Needs};
use crate::outcome::Outcome;
use crate::stats::Stats;
use crate::stdout::Stdout;
use crate::{directories, provided, terminal};
use anyhow::{Context, Result, anyhow};
use iommap::{IommapCtx, IommapCtxView, IommapView, Limits};
use std::path::Path;
use std::time::{Duration, Instant};
use tokio::runtime::{Builder, Runtime};
use wasmtime::component::{Component, Linker, ResourceTable};
use wasmtime::{Engine, Store, StoreLimits, StoreLimitsBuilder};
use wasmtime_wasi::p2::bindings::CommandPre;
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};

/// Runs a component and returns the exit code.
pub(crate) fn run(args: &Run) -> Result<u8> {
    let begin = Instant::now();
    let path = args.component();
    // What takes no time comes first, so that a mistake there is seen at once.
    directories::check(&args.dirs)?;
    let state = State::new(args)?;
    let needs = Needs { cache: !args.compile.no_cache, interrupt: args.timeout.is_some() };
    let component = engine::compile(&path, needs)?;
    let command = link(&path, &component)?;
    let loading = begin.elapsed();

    let account = state.iommap.account().clone();
    let mut store = Store::new(component.engine(), state);
    store.limiter(|state| &mut state.limits);
    if args.timeout.is_some() {
        // Each time the clock ticks the guest gives way, so that the time limit is looked at.
        store.epoch_deadline_async_yield_and_update(1);
        engine::start_ticking(component.engine())?;
    }
    let runtime = runtime()?;
    let start = Instant::now();
    let outcome = runtime.block_on(within(args.timeout, start_command(&command, &mut store)));
    let running = start.elapsed();
    let counters = account.counters();
    // A thread that still waits for standard input would be waited for.
    runtime.shutdown_background();

    outcome.explain(&path);
    if args.stats {
        terminal::say(Stats { counters, loading, running });
    }
    Ok(outcome.exit_code())
}

/// Everything that a component may import.
pub(crate) fn linker(engine: &Engine) -> wasmtime::Result<Linker<State>> {
    let mut linker = Linker::new(engine);
    wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
    iommap::add_to_linker_async(&mut linker, State::iommap)?;
    iommap::wasi::add_to_linker_async(&mut linker, State::iommap, |state| &mut state.table)?;
    Ok(linker)
}

/// Gives a component what it imports, or says what is missing.
fn link(path: &Path, component: &Component) -> Result<CommandPre<State>> {
    provided::check_imports(path, component)?;
    provided::check_exports(path, component)?;
    linker(component.engine())
        .and_then(|linker| CommandPre::new(linker.instantiate_pre(component)?))
        .map_err(|error| {
            anyhow!(
                "{} does not agree with this host about an interface: {error:#}\n\
                 Build it against the version of the interface that the host has",
                path.display()
            )
        })
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

async fn within(limit: Option<Duration>, run: impl Future<Output = Outcome>) -> Outcome {
    match limit {
        None => run.await,
        Some(limit) => tokio::time::timeout(limit, run).await.unwrap_or(Outcome::TimedOut(limit)),
    }
}

/// The component runs on the thread that calls; one more is there for what goes on beside it.
fn runtime() -> Result<Runtime> {
    Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .context("no thread can be started: raise the limit on processes (ulimit -u)")
}

/// What the store of the component holds.
pub(crate) struct State {
    wasi: WasiCtx,
    iommap: IommapCtx,
    table: ResourceTable,
    limits: StoreLimits,
}

impl State {
    fn new(args: &Run) -> Result<State> {
        let mut wasi = WasiCtx::builder();
        let mut iommap = IommapCtx::builder();
        // There is one component and a thread for it: it may wait there. Not if it is to be
        // ended meanwhile.
        let may_block = args.timeout.is_none();
        wasi.allow_blocking_current_thread(may_block);
        iommap.allow_blocking_current_thread(may_block);

        wasi.inherit_stdin().stdout(Stdout).inherit_stderr();
        wasi.envs(&args.env).args(&arguments(args)?);
        let mut limits = Limits::default();
        for limit in &args.limits {
            limits.set(&limit.name, limit.value);
        }
        iommap.limits(limits).name(component_name(args));
        directories::grant(&args.dirs, &mut wasi, &mut iommap)?;

        let mut memory = StoreLimitsBuilder::new();
        if let Some(bytes) = args.max_memory {
            memory = memory.memory_size(usize::try_from(bytes).unwrap_or(usize::MAX));
        }
        Ok(State {
            wasi: wasi.build(),
            iommap: iommap.build(),
            table: ResourceTable::new(),
            limits: memory.build(),
        })
    }
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

impl IommapView for State {
    fn iommap(&mut self) -> IommapCtxView<'_> {
        IommapCtxView { ctx: &mut self.iommap, table: &mut self.table }
    }
}

/// What the component gets as its arguments: its own name first.
fn arguments(args: &Run) -> Result<Vec<String>> {
    let rest = args.arguments().iter().map(|argument| {
        argument.to_str().map(str::to_owned).with_context(|| {
            format!("the argument {argument:?} is not UTF-8, which a component's must be")
        })
    });
    std::iter::once(Ok(component_name(args))).chain(rest).collect()
}

/// The component's name: that of its file.
fn component_name(args: &Run) -> String {
    args.component().file_name().unwrap_or_default().to_string_lossy().into_owned()
}
