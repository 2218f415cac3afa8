//! What the store of a component holds, as the command line says.

use crate::args::Run;
use crate::directories;
use crate::grant::Grant;
use crate::stdout::Stdout;
use anyhow::{Context, Result};
use iommap::{IommapCtx, IommapCtxView, IommapView, Limits, Usage};
use std::sync::Arc;
use wasmtime::component::ResourceTable;
use wasmtime::{ResourceLimiter, StoreLimits, StoreLimitsBuilder};
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};

/// What the store of the component holds.
pub(crate) struct State {
    wasi: WasiCtx,
    iommap: IommapCtx,
    pub(crate) table: ResourceTable,
    limits: StoreLimits,
}

impl State {
    pub(crate) fn new(args: &Run, grants: &[&Grant]) -> Result<State> {
        let mut wasi = WasiCtx::builder();
        let mut iommap = IommapCtx::builder();
        // There is one component and a thread for it: it may wait there. What ends it (`ending`) does not
        // wait for that thread.
        wasi.allow_blocking_current_thread(true);
        iommap.allow_blocking_current_thread(true);

        wasi.inherit_stdin().stdout(Stdout).inherit_stderr();
        wasi.envs(&args.env).args(&arguments(args)?);
        let mut limits = Limits::default();
        for limit in &args.limits {
            limit.apply(&mut limits);
        }
        iommap.limits(limits).name(component_name(args));
        // SAFETY: nothing can tell who else writes to a file. Whoever passes these flags vouches for
        // it, as their help says.
        unsafe {
            iommap.windows_on_changing_files(args.windows_on_changing_files);
            iommap.writable_windows(args.writable_windows);
        }
        directories::grant(grants, &mut wasi, &mut iommap)?;

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

    /// What the component uses and has done.
    pub(crate) fn usage(&self) -> Arc<Usage> {
        self.iommap.usage().clone()
    }

    pub(crate) fn limiter(&mut self) -> &mut dyn ResourceLimiter {
        &mut self.limits
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
