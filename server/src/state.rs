//! What the store of one request holds, and what it gives a guest.

use crate::args::Args;
use crate::directories;
use crate::usages::{Entry, Usages};
use anyhow::{Result, anyhow};
use hyper::http;
use iommap::{IommapCtx, IommapCtxView, IommapView, Limits};
use std::path::PathBuf;
use std::sync::Arc;
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
    limits: Limits,
    memory: usize,
    usages: Arc<Usages>,
}

impl Template {
    pub(crate) fn new(args: &Args, usages: Arc<Usages>) -> Result<Template> {
        // Whoever starts the server wants to hear at once of a name that leads nowhere.
        directories::grant(&args.dirs, &mut IommapCtx::builder(), &mut WasiCtx::builder())
            .map_err(|error| anyhow!("--dir: {error:#}"))?;
        Ok(Template {
            env: args.env.clone(),
            dirs: args.dirs.clone(),
            limits: args.iommap_limits(),
            memory: args.max_memory,
            usages,
        })
    }

    /// The state of one request's store.
    ///
    /// The request has its thread for itself, so whatever waits for a device does so there.
    pub(crate) fn state(&self, deadline: Instant) -> wasmtime::Result<State> {
        let stderr = MemoryOutputPipe::new(STDERR);
        let mut wasi = WasiCtx::builder();
        wasi.allow_blocking_current_thread(true).envs(&self.env).stderr(stderr.clone());
        let mut iommap = IommapCtx::builder();
        iommap.limits(self.limits.clone());
        directories::grant(&self.dirs, &mut iommap, &mut wasi)?;
        let iommap = iommap.build();
        Ok(State {
            table: ResourceTable::new(),
            wasi: wasi.build(),
            http: WasiHttpCtx::new(),
            hooks: NoRequests,
            _entry: self.usages.enter(iommap.usage()),
            iommap,
            memory: StoreLimitsBuilder::new()
                .memory_size(self.memory)
                .trap_on_grow_failure(true)
                .build(),
            deadline,
            stderr,
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

type Io = Box<dyn Future<Output = wasmtime_wasi_http::Result<()>> + Send>;
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
