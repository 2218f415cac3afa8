//! The engine that compiles and runs components, and its cache.

use crate::{component, notice, terminal};
use anyhow::{Result, anyhow};
use rustix::io::Errno;
use std::path::Path;
use tracing::debug;
use wasmtime::component::Component;
use wasmtime::{Cache, Config, Engine};

/// Compiles the component in a file, in an engine of its own. With a cache, compiled components are
/// kept, and taken from where they are kept.
///
/// There is one way to compile, whatever the component is run with, so that one that is kept is never
/// compiled twice. It has no epochs, by which a guest that computes could be interrupted: they make a
/// loop of few instructions take up to twice as long, and what ends a component ends the process too.
///
/// A host that can serve a component's async functions makes each call slower, so it is done
/// only for a component that has some.
pub(crate) fn compile(path: &Path, cache: bool) -> Result<Component> {
    let binary = component::read(path)?;
    let cache = if cache { open_cache() } else { None };
    let name = path.file_name().unwrap_or_default().display();
    let _notice = notice::unless_soon_done(match cache {
        Some(_) => format!("compiling {name}, once: what comes of it is kept"),
        None => format!("compiling {name}"),
    });
    with_either(|concurrency| {
        Component::from_binary(&new_engine(cache.clone(), concurrency)?, &binary)
    })
    .map_err(|error| not_compiled(path, &error))
}

/// Compiles the component in a file to native code, for [`load`].
pub(crate) fn compile_ahead(path: &Path) -> Result<Vec<u8>> {
    let component = compile(path, false)?;
    component.serialize().map_err(|error| not_compiled(path, &error))
}

/// Takes a file that [`compile_ahead`] has written for native code.
pub(crate) fn load(path: &Path) -> Result<Component> {
    let shown = path.display();
    drop(component::open(path)?);
    if Engine::detect_precompiled_file(path).ok().flatten().is_none() {
        return Err(anyhow!(
            "{shown} is not what `iommap compile` writes: run it without --precompiled, or compile \
             it first"
        ));
    }
    with_either(|concurrency| {
        let engine = new_engine(None, concurrency)?;
        // SAFETY: Nothing can tell whether this is what a compiler made. Whoever passes
        // --precompiled vouches for it, as for any program that is started.
        unsafe { Component::deserialize_file(&engine, path) }
    })
    .map_err(|error| {
        anyhow!(
            "{shown} is not for this iommap on this machine: {error:#}. Compile the component \
             again, here"
        )
    })
}

/// Does something in an engine without async functions, or else in one that has them.
fn with_either<R>(make: impl Fn(bool) -> wasmtime::Result<R>) -> wasmtime::Result<R> {
    make(false).or_else(|first| {
        debug!("once more, with async functions: {first:#}");
        // The first reason counts for a component to which they make no difference.
        make(true).map_err(|second| if is_about_memory(&first) { first } else { second })
    })
}

fn new_engine(cache: Option<Cache>, concurrency: bool) -> wasmtime::Result<Engine> {
    let mut config = Config::new();
    config.concurrency_support(concurrency);
    config.cache(cache);
    // Without wasmtime's feature `gc`, which nothing here needs, a call through a type of that
    // proposal ends the process. So such a component is refused.
    config.wasm_gc(false);
    Engine::new(&config)
}

/// wasmtime's own cache, where its configuration says. None is no reason to run nothing.
fn open_cache() -> Option<Cache> {
    match Cache::from_file(None) {
        Ok(cache) => Some(cache),
        Err(error) => {
            terminal::note(format_args!(
                "compiled components are not kept ({error:#}): set XDG_CACHE_HOME to a directory \
                 that can be written to, or pass --no-cache"
            ));
            None
        }
    }
}

/// Says why a component could not be compiled, and what to do: mostly it is the component, but not
/// if the system refuses memory for the code.
fn not_compiled(path: &Path, error: &wasmtime::Error) -> anyhow::Error {
    let shown = path.display();
    if !is_about_memory(error) {
        return anyhow!(
            "{shown} cannot be compiled: {error:#}\n\
             The file is damaged, or uses features that this host does not know: build it again, or \
             get it again"
        );
    }
    anyhow!("{shown} cannot be made ready: {error:#}\n{}", memory_advice())
}

/// Did the system refuse memory?
pub(crate) fn is_about_memory(error: &wasmtime::Error) -> bool {
    let of = [Errno::NOMEM, Errno::ACCESS, Errno::PERM];
    error.chain().any(|cause| {
        let errno = cause.downcast_ref::<Errno>().copied();
        let errno = errno.or_else(|| cause.downcast_ref().and_then(Errno::from_io_error));
        errno.is_some_and(|errno| of.contains(&errno))
    })
}

/// What to do if the system refuses memory.
pub(crate) fn memory_advice() -> &'static str {
    "The system refuses memory. WebAssembly needs address space, some GiB for each memory of a \
     component: see `ulimit -v`. And it needs memory that is first written and then executed, which \
     a system that is set up so (SELinux, seccomp, systemd's MemoryDenyWriteExecute) forbids"
}
