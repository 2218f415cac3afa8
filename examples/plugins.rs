//! A plugin system: runs every component in a folder, each with a directory and limits of its own,
//! and survives the bad ones.
//!
//! ```sh
//! cargo run --bin plugins -- PLUGINS DATA
//! ```
//!
//! runs PLUGINS/a.wasm with DATA/a as its `/data`, PLUGINS/b.wasm with DATA/b, and so on.

use iommap::{Counters, FsPerms, IommapCtx, IommapCtxView, IommapView};
use std::fs;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;
use tracing_subscriber::EnvFilter;
use wasmtime::component::{Component, Linker, ResourceTable};
use wasmtime::error::Context;
use wasmtime::{Config, Engine, Result, Store, StoreLimits, StoreLimitsBuilder, bail};
use wasmtime_wasi::p2::bindings::sync::Command;
use wasmtime_wasi::{I32Exit, WasiCtx, WasiCtxView, WasiView};

/// How often a plugin looks at the clock, and how many times before it is ended.
const TICK: Duration = Duration::from_millis(10);
const TICKS: u64 = 500;

/// What a plugin's store holds.
struct State {
    wasi: WasiCtx,
    iommap: IommapCtx,
    table: ResourceTable,
    limits: StoreLimits,
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

/// What all plugins share.
struct Host {
    engine: Engine,
    linker: Linker<State>,
}

impl Host {
    fn new() -> Result<Host> {
        let mut config = Config::new();
        config.concurrency_support(false).wasm_gc(false).epoch_interruption(true);
        let engine = Engine::new(&config)?;
        let clock = engine.clone();
        std::thread::spawn(move || {
            loop {
                std::thread::sleep(TICK);
                clock.increment_epoch();
            }
        });
        let mut linker = Linker::<State>::new(&engine);
        wasmtime_wasi::p2::add_to_linker_sync(&mut linker)?;
        iommap::add_to_linker(&mut linker, State::iommap)?;
        iommap::windows::add_to_linker(&mut linker, State::iommap)?;
        iommap::wasi::add_to_linker(&mut linker, State::iommap, |state| &mut state.table)?;
        Ok(Host { engine, linker })
    }

    /// Runs a plugin to its end, in a store that goes with it, and returns what it did.
    fn run(&self, path: &Path, name: &str, data: &Path) -> Result<Counters> {
        let mut iommap = IommapCtx::builder();
        iommap
            .name(name)
            .preopened_dir(data, "/data", FsPerms::ReadWrite)?
            .max_mappings(16)
            .max_mapped_bytes(1 << 30)
            .max_file_bytes(64 << 20);
        let mut wasi = WasiCtx::builder();
        iommap.preopen_into(&mut wasi)?;
        let iommap = iommap.build();
        let usage = iommap.usage().clone();
        let wasi = wasi.inherit_stdout().inherit_stderr().arg(name).build();
        let limits = StoreLimitsBuilder::new().memory_size(64 << 20).build();
        let state = State { wasi, iommap, table: ResourceTable::new(), limits };

        let component = Component::from_file(&self.engine, path)?;
        let mut store = Store::new(&self.engine, state);
        store.limiter(|state| &mut state.limits);
        store.set_epoch_deadline(TICKS);
        let plugin = Command::instantiate(&mut store, &component, &self.linker)?;
        match plugin.wasi_cli_run().call_run(&mut store) {
            Ok(Ok(())) => Ok(usage.counters()),
            Ok(Err(())) => bail!("it says that it failed"),
            // A guest's `exit` comes as an error, as a trap does.
            Err(error) => match error.downcast_ref() {
                Some(I32Exit(0)) => Ok(usage.counters()),
                Some(I32Exit(code)) => bail!("it ended with exit code {code}"),
                None => Err(error),
            },
        }
    }
}

/// The components in a folder, by name.
fn plugins(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder).with_context(|| format!("no plugins in {folder:?}"))?;
    let mut paths = entries.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "wasm"));
    paths.sort();
    Ok(paths)
}

fn run_all(folder: &Path, data: &Path) -> Result<()> {
    let host = Host::new()?;
    for path in plugins(folder)? {
        let name = path.file_stem().unwrap_or_default().to_string_lossy();
        let data = data.join(&*name);
        fs::create_dir_all(&data)?;
        // Whatever a plugin does, it is the end of this plugin only.
        match host.run(&path, &name, &data) {
            Ok(Counters { opened, bytes_read, bytes_written, .. }) => println!(
                "{name}: done, {opened} mappings, {bytes_read} bytes read, {bytes_written} written"
            ),
            Err(error) => println!("{name}: FAILED: {}", error.root_cause()),
        }
    }
    Ok(())
}

fn main() -> ExitCode {
    // RUST_LOG=iommap=debug tells which calls were refused, and why.
    let filter = EnvFilter::from_default_env();
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr)
        .init();
    let mut args = std::env::args_os().skip(1).map(PathBuf::from);
    let (Some(folder), Some(data), None) = (args.next(), args.next(), args.next()) else {
        eprintln!("usage: plugins PLUGINS DATA");
        return ExitCode::from(2);
    };
    match run_all(&folder, &data) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("plugins: {error:#}");
            ExitCode::FAILURE
        }
    }
}
