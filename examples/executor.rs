//! Runs a component several times at once on one thread: while one waits for the disk, others go
//! on, and one that computes for long makes room for them.
//!
//! ```sh
//! cargo run --bin executor -- COMPONENT.wasm DIR [ARGS]...
//! ```
//!
//! runs a `wasi:cli/run` component with DIR as its `/data`, four times.

use iommap::{Counters, FsPerms, IommapCtx, IommapCtxBuilder, IommapCtxView, IommapView};
use std::io::IsTerminal;
use std::path::Path;
use std::process::ExitCode;
use std::thread;
use std::time::Duration;
use tracing_subscriber::EnvFilter;
use wasmtime::component::{Component, Linker, ResourceTable};
use wasmtime::{Config, Engine, Result, Store, format_err};
use wasmtime_wasi::p2::bindings::CommandPre;
use wasmtime_wasi::{I32Exit, WasiCtx, WasiCtxView, WasiView};

const AT_ONCE: usize = 4;

/// How long a guest may take, and how often one that computes makes room for others.
const PATIENCE: Duration = Duration::from_secs(10);
const TICK: Duration = Duration::from_millis(10);

/// What a guest's store holds.
struct State {
    wasi: WasiCtx,
    iommap: IommapCtx,
    table: ResourceTable,
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

/// What all guests share.
struct Host {
    /// Compiled, and its imports found: what is left for each guest takes microseconds.
    command: CommandPre<State>,
    /// The directory is opened once. Each context that is built has limits and a usage of its own.
    grants: IommapCtxBuilder,
    args: Vec<String>,
}

impl Host {
    fn new(component: &Path, dir: &Path, args: Vec<String>) -> Result<Host> {
        let mut config = Config::new();
        config.concurrency_support(false).wasm_gc(false).epoch_interruption(true);
        let engine = Engine::new(&config)?;
        let clock = engine.weak();
        thread::spawn(move || {
            while let Some(engine) = clock.upgrade() {
                engine.increment_epoch();
                drop(engine);
                thread::sleep(TICK);
            }
        });

        let mut linker = Linker::<State>::new(&engine);
        wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
        iommap::add_to_linker_async(&mut linker, State::iommap)?;
        let component = Component::from_file(&engine, component)?;
        let command = CommandPre::new(linker.instantiate_pre(&component)?)?;

        let mut grants = IommapCtx::builder();
        grants.preopened_dir(dir, "/data", FsPerms::ReadOnly)?.max_mappings(16);
        Ok(Host { command, grants, args })
    }

    /// A store for one guest. Its future must be able to move between threads, and so is it.
    fn store(&mut self, name: &str) -> Result<Store<State>> {
        let mut wasi = WasiCtx::builder();
        self.grants.preopen_into(&mut wasi)?;
        let wasi = wasi.inherit_stdout().inherit_stderr().arg(name).args(&self.args).build();
        let iommap = self.grants.name(name).build();
        let state = State { wasi, iommap, table: ResourceTable::new() };
        let mut store = Store::new(self.command.engine(), state);
        store.set_epoch_deadline(1);
        store.epoch_deadline_async_yield_and_update(1);
        Ok(store)
    }
}

/// Runs a guest to its end: what it exits with, and what it did.
async fn run(command: CommandPre<State>, mut store: Store<State>) -> Result<(i32, Counters)> {
    let usage = store.data().iommap.usage().clone();
    let call = async {
        let command = command.instantiate_async(&mut store).await?;
        command.wasi_cli_run().call_run(&mut store).await
    };
    let code = match tokio::time::timeout(PATIENCE, call).await {
        // The call was dropped. A read of it that waits for the disk ends by itself, elsewhere.
        Err(_) => return Err(format_err!("it took longer than {PATIENCE:?}")),
        Ok(Ok(Ok(()))) => 0,
        Ok(Ok(Err(()))) => 1,
        // A guest's `exit` comes as an error, as a trap does.
        Ok(Err(error)) => match error.downcast_ref() {
            Some(I32Exit(code)) => *code,
            None => return Err(error),
        },
    };
    Ok((code, usage.counters()))
}

async fn run_all(mut host: Host) -> Result<bool> {
    let mut running = Vec::new();
    for n in 0..AT_ONCE {
        let name = format!("guest-{n}");
        let store = host.store(&name)?;
        running.push((name, tokio::spawn(run(host.command.clone(), store))));
    }
    let mut all_well = true;
    for (name, guest) in running {
        // Only a bug of the host makes a panic of it.
        match guest.await? {
            Ok((code, Counters { reads, bytes_read, .. })) => {
                all_well &= code == 0;
                eprintln!("{name}: exit code {code}, {bytes_read} bytes in {reads} reads");
            }
            Err(error) => {
                all_well = false;
                eprintln!("{name}: FAILED: {}", error.root_cause());
            }
        }
    }
    Ok(all_well)
}

fn main() -> ExitCode {
    // RUST_LOG=iommap=debug tells which calls were refused, and why.
    tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::from_default_env())
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr)
        .init();
    let mut args = std::env::args().skip(1);
    let (Some(component), Some(dir)) = (args.next(), args.next()) else {
        eprintln!("usage: executor COMPONENT.wasm DIR [ARGS]...");
        return ExitCode::from(2);
    };
    let outcome = Host::new(component.as_ref(), dir.as_ref(), args.collect()).and_then(|host| {
        // One thread runs the guests. What waits for the disk does so on others, of tokio's.
        let executor = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
        executor.block_on(run_all(host))
    });
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("executor: {error:#}");
            ExitCode::FAILURE
        }
    }
}
