//! Embeds iommap beside wasmtime-wasi: one table, one directory granted to both.
//!
//! ```sh
//! cargo run --bin embed -- COMPONENT.wasm DIR [ARGS]...
//! ```
//!
//! runs a `wasi:cli/run` component with DIR as its `/data`.

use iommap::{FsPerms, IommapCtx, IommapCtxView, IommapView};
use wasmtime::component::{Component, Linker, ResourceTable};
use wasmtime::{Config, Engine, Result, Store};
use wasmtime_wasi::p2::bindings::sync::Command;
use wasmtime_wasi::{I32Exit, WasiCtx, WasiCtxView, WasiView};

/// What a store holds: two contexts, and the one table that both keep their resources in.
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

fn main() -> Result<()> {
    let mut args = std::env::args().skip(1);
    let (Some(component), Some(dir)) = (args.next(), args.next()) else {
        eprintln!("usage: embed COMPONENT.wasm DIR [ARGS]...");
        std::process::exit(2);
    };

    let mut config = Config::new();
    config.concurrency_support(false).wasm_gc(false);
    let engine = Engine::new(&config)?;
    let component = Component::from_file(&engine, component)?;

    let mut linker = Linker::<State>::new(&engine);
    wasmtime_wasi::p2::add_to_linker_sync(&mut linker)?;
    iommap::add_to_linker(&mut linker, State::iommap)?;
    // Lets it have pages of files in its own memory: none, unless `max_windows` is set below.
    iommap::windows::add_to_linker(&mut linker, State::iommap)?;
    // Lets the guest map what it has open through WASI.
    iommap::wasi::add_to_linker(&mut linker, State::iommap, |state| &mut state.table)?;

    let mut iommap = IommapCtx::builder();
    iommap.name("guest").preopened_dir(&dir, "/data", FsPerms::ReadWrite)?.max_mappings(16);
    let mut wasi = WasiCtx::builder();
    iommap.preopen_into(&mut wasi)?;
    let iommap = iommap.build();
    let wasi = wasi.inherit_stdio().arg("guest").args(&args.collect::<Vec<_>>()).build();
    // The usage outlives the store: what the guest did can be read at any time.
    let usage = iommap.usage().clone();
    let mut store = Store::new(&engine, State { wasi, iommap, table: ResourceTable::new() });

    let command = Command::instantiate(&mut store, &component, &linker)?;
    let code = match command.wasi_cli_run().call_run(&mut store) {
        Ok(Ok(())) => 0,
        Ok(Err(())) => 1,
        // A guest's `exit` comes as an error, as a trap does.
        Err(error) => match error.downcast_ref() {
            Some(I32Exit(code)) => *code,
            None => return Err(error),
        },
    };
    drop(store);

    let counters = usage.counters();
    eprintln!(
        "{} mappings opened, {} left open; {} bytes read, {} written; {} faults recovered, {} calls \
         refused",
        counters.opened,
        counters.mappings,
        counters.bytes_read,
        counters.bytes_written,
        counters.faults_recovered,
        counters.refused
    );
    // The guest was told a code. The reason names what is granted, and is for the host.
    if let Some(refused) = usage.first_refusal() {
        eprintln!("refused first: {refused}");
    }
    std::process::exit(code)
}
