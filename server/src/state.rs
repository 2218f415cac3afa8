//! What the store of one request holds, and what it gives a guest.

use crate::args::Args;
use crate::metrics::Entry;
use anyhow::{Context, Result};
use hyper::http;
use iommap::{FsPerms, IommapCtx, IommapCtxBuilder, IommapCtxView, IommapView};
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;
use wasmtime::component::ResourceTable;
use wasmtime::{StoreLimits, StoreLimitsBuilder};
use wasmtime_wasi::p2::pipe::MemoryOutputPipe;
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};
use wasmtime_wasi_http::{
    Error, RequestOptions, WasiBody, WasiHttpCtx, WasiHttpCtxView, WasiHttpHooks, WasiHttpView,
};

/// How much of what a guest writes to its standard error is kept for the log, in bytes.
const STDERR: usize = 4096;

/// What every request's state is made from.
pub(crate) struct Template {
    env: Vec<(String, String)>,
    dirs: Vec<(PathBuf, String)>,
    // Behind a lock since building takes the builder mutably; it is held for a copy.
    iommap: Mutex<IommapCtxBuilder>,
    memory: usize,
    offload: bool,
}

impl Template {
    pub(crate) fn new(args: &Args) -> Result<Template> {
        let mut iommap = IommapCtx::builder();
        iommap.limits(args.iommap_limits()).allow_blocking_current_thread(!args.offload);
        for (host, guest) in &args.dirs {
            let granted = iommap.preopened_dir(host, guest, FsPerms::ReadOnly);
            granted.context("--dir names no directory that can be opened")?;
        }
        Ok(Template {
            env: args.env.clone(),
            dirs: args.dirs.clone(),
            iommap: Mutex::new(iommap),
            memory: args.memory_bytes(),
            offload: args.offload,
        })
    }

    /// A fresh context for the mappings of one request, with an account of its own.
    pub(crate) fn iommap(&self) -> IommapCtx {
        self.iommap.lock().unwrap_or_else(PoisonError::into_inner).build()
    }

    /// The state of one request's store.
    pub(crate) fn state(
        &self,
        iommap: IommapCtx,
        deadline: Instant,
        entry: Entry,
    ) -> wasmtime::Result<State> {
        let stderr = MemoryOutputPipe::new(STDERR);
        let mut wasi = WasiCtx::builder();
        wasi.allow_blocking_current_thread(!self.offload).envs(&self.env).stderr(stderr.clone());
        for (host, guest) in &self.dirs {
            wasi.preopened_dir(host, guest, wasmtime_wasi::FsPerms::ReadOnly)?;
        }
        Ok(State {
            table: ResourceTable::new(),
            wasi: wasi.build(),
            http: WasiHttpCtx::new(),
            hooks: NoRequests,
            iommap,
            memory: StoreLimitsBuilder::new()
                .memory_size(self.memory)
                .trap_on_grow_failure(true)
                .build(),
            deadline,
            stderr,
            _entry: entry,
        })
    }
}

/// The state of one request's store. What comes first is dropped first: a mapping before the
/// entry that counts it.
pub(crate) struct State {
    table: ResourceTable,
    wasi: WasiCtx,
    http: WasiHttpCtx,
    hooks: NoRequests,
    iommap: IommapCtx,
    pub(crate) memory: StoreLimits,
    /// When the guest is ended.
    pub(crate) deadline: Instant,
    /// What the guest wrote to its standard error.
    pub(crate) stderr: MemoryOutputPipe,
    _entry: Entry,
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

impl WasiHttpView for State {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView { ctx: &mut self.http, table: &mut self.table, hooks: &mut self.hooks }
    }
}

impl IommapView for State {
    fn iommap(&mut self) -> IommapCtxView<'_> {
        IommapCtxView { ctx: &mut self.iommap, table: &mut self.table }
    }
}

/// Guests answer requests here and send none.
struct NoRequests;

type Io = Box<dyn Future<Output = Result<(), Error>> + Send>;
type Sent = wasmtime_wasi_http::Result<(http::Response<WasiBody>, Io)>;

impl WasiHttpHooks for NoRequests {
    fn send_request(
        &mut self,
        _request: http::Request<WasiBody>,
        _options: Option<RequestOptions>,
        _transmitted: Io,
    ) -> Box<dyn Future<Output = Sent> + Send> {
        Box::new(async { Err(Error::HttpRequestDenied) })
    }
}
