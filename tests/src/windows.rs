//! A guest with windows, written by hand: `windows.wat`.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use iommap::{FsPerms, IommapCtxBuilder, MappingHandle, Usage};
use wasmtime::component::{Component, ComponentNamedList, Instance, Lift, Lower, Resource};
use wasmtime::{Result, StoreContextMut};

use crate::scene::{Host, Scene, State};
use crate::wat::error_codes;

/// A page of wasm, of which windows are multiples.
pub const UNIT: u64 = 1 << 16;

/// Where the guest's memory is free for the test, to 32 MiB.
pub const FREE: u64 = 1 << 20;

/// What stands at the end of a window's region.
pub const TOKEN: u64 = 0x0123_4567_89ab_cdef;

/// How a window is opened: the bits of `window-flags`.
pub const SHARED: u32 = 1;
/// Likewise.
pub const POPULATE: u32 = 2;
/// Likewise.
pub const FROZEN: u32 = 4;

/// How a mapping is opened: the cases of `access-mode`.
pub const READ: u32 = 0;
/// Likewise.
pub const WRITE: u32 = 1;
/// Likewise.
pub const READ_WRITE: u32 = 2;

/// In `open-flags`: private.
pub const PRIVATE: u32 = 2;

/// The guest, for an engine of whatever kind.
pub fn component() -> Vec<u8> {
    let (wit, module) = (include_str!("windows.wit"), include_str!("windows.wat"));
    iommap_wat::component(&[wit], "iommap:test/windowed", module).expect("a component")
}

/// The guest.
///
/// Every call that returns a name returns `ok` or the error's. Every one of them is an error itself
/// if the guest trapped.
pub struct Windowed {
    host: Host,
    instance: Instance,
    heard: Arc<Heard>,
}

/// What the guest has told the host in strings.
#[derive(Default)]
pub struct Heard {
    /// How many strings.
    pub strings: AtomicU64,
    /// How many of them are not UTF-8.
    pub wrong: AtomicU64,
}

impl Heard {
    fn hear(&self, text: &str) {
        // What wasmtime has checked is looked at again, as bytes.
        let bytes = std::hint::black_box(text.as_bytes());
        self.strings.fetch_add(1, Ordering::Relaxed);
        if std::str::from_utf8(bytes).is_err() {
            self.wrong.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Scene {
    /// A context that grants the directory, and windows of every kind on whatever is there.
    pub fn grant_windows(&self) -> IommapCtxBuilder {
        let mut context = self.grant_as(FsPerms::ReadWrite);
        context.max_windows(64).max_window_bytes(64 << 20);
        // SAFETY: the tests that write to a file while a guest tells the host strings from it run in
        // processes of their own, and look at the strings as bytes only.
        unsafe { context.windows_on_changing_files(true).writable_windows(true) };
        context
    }

    /// A guest with windows of every kind.
    pub fn windowed(&self) -> Windowed {
        self.windowed_with(&mut self.grant_windows())
    }

    /// The same with this context.
    pub fn windowed_with(&self, context: &mut IommapCtxBuilder) -> Windowed {
        let component = Component::new(self.kind().engine(), component()).expect("a component");
        let mut host = Host::new(self.kind(), context);
        let heard = Arc::new(Heard::default());
        let instance = host.instantiate_with(&component, |linker| {
            let heard = heard.clone();
            let hear = move |_: StoreContextMut<'_, State>, (text,): (String,)| {
                heard.hear(&text);
                Ok(())
            };
            linker.root().func_wrap("hear", hear).expect("a name that is free");
        });
        Windowed { host, instance: instance.expect("an instance"), heard }
    }
}

impl Windowed {
    fn call<P, R>(&mut self, name: &str, params: P) -> Result<R>
    where
        P: ComponentNamedList + Lower + Send + Sync + 'static,
        R: ComponentNamedList + Lift + Send + Sync + 'static,
    {
        let function = self.instance.get_typed_func(&mut self.host.store, name)?;
        self.host.call(&function, params)
    }

    #[track_caller]
    fn status<P>(&mut self, name: &str, params: P) -> &'static str
    where
        P: ComponentNamedList + Lower + Send + Sync + 'static,
    {
        let (status,): (u32,) = self.call(name, params).expect(name);
        match status.checked_sub(1) {
            None => "ok",
            Some(code) => &error_codes()[code as usize],
        }
    }

    /// Opens a file of the granted directory.
    #[track_caller]
    pub fn map(&mut self, name: &str, mode: u32, options: u32) -> &'static str {
        self.map_path(&format!("{}/{name}", crate::scene::DATA), mode, options)
    }

    /// Opens a file.
    #[track_caller]
    pub fn map_path(&mut self, path: &str, mode: u32, options: u32) -> &'static str {
        self.status("map-file", (path.to_owned(), mode, options))
    }

    /// Is given a mapping.
    pub fn adopt(&mut self, mapping: MappingHandle) {
        let handle: Resource<MappingHandle> =
            self.host.store.data_mut().table().push(mapping).expect("a handle");
        self.call::<_, ()>("adopt", (handle,)).expect("adopt");
    }

    /// Closes the mapping.
    #[track_caller]
    pub fn unmap(&mut self) -> &'static str {
        self.status("unmap-file", ())
    }

    /// Gives the file another length.
    #[track_caller]
    pub fn truncate(&mut self, size: u64) -> &'static str {
        self.status("truncate", (size,))
    }

    /// Reads to an address.
    #[track_caller]
    pub fn pread(&mut self, offset: u64, length: u64, to: u64) -> &'static str {
        self.status("pread", (offset, length, to as u32))
    }

    /// Writes what is at an address.
    #[track_caller]
    pub fn pwrite(&mut self, offset: u64, data: u64, length: u64) -> &'static str {
        self.status("pwrite", (offset, data as u32, length as u32))
    }

    /// Opens window `n` at an address, in a region that is just long enough, with its token.
    #[track_caller]
    pub fn window(
        &mut self,
        n: u32,
        offset: u64,
        length: u64,
        address: u64,
        options: u32,
    ) -> &'static str {
        let region = region_of(length);
        self.store(address + region - 8, TOKEN);
        self.window_in(n, offset, length, (address, region, TOKEN), options)
    }

    /// Opens window `n` in a region: address, length and token.
    #[track_caller]
    pub fn window_in(
        &mut self,
        n: u32,
        offset: u64,
        length: u64,
        (address, region, token): (u64, u64, u64),
        options: u32,
    ) -> &'static str {
        self.status("window", (n, offset, length, address, region, token, options))
    }

    /// Moves window `n`.
    #[track_caller]
    pub fn move_to(&mut self, n: u32, offset: u64, length: u64, options: u32) -> &'static str {
        self.status("move", (n, offset, length, options))
    }

    /// Asks the host whether window `n` has lost a page.
    #[track_caller]
    pub fn check(&mut self, n: u32) -> &'static str {
        self.status("check", (n,))
    }

    /// Closes window `n`.
    #[track_caller]
    pub fn close(&mut self, n: u32) -> &'static str {
        self.status("close", (n,))
    }

    /// Reads a range of window `n` in.
    #[track_caller]
    pub fn prefetch(&mut self, n: u32, offset: u64, length: u64) -> &'static str {
        self.status("prefetch", (n, offset, length))
    }

    /// Drops the handle of window `n`.
    #[track_caller]
    pub fn release(&mut self, n: u32) {
        self.call::<_, ()>("release", (n,)).expect("release");
    }

    /// Eight bytes of the guest's memory, loaded by the guest.
    pub fn try_load(&mut self, at: u64) -> Result<u64> {
        self.call("load", (at as u32,)).map(|(value,)| value)
    }

    /// The same.
    #[track_caller]
    pub fn load(&mut self, at: u64) -> u64 {
        self.try_load(at).expect("load")
    }

    /// Stores eight bytes.
    #[track_caller]
    pub fn store(&mut self, at: u64, value: u64) {
        self.call::<_, ()>("store", (at as u32, value)).expect("store");
    }

    /// `memory.fill`.
    #[track_caller]
    pub fn fill(&mut self, at: u64, byte: u32, length: u64) {
        self.call::<_, ()>("fill", (at as u32, byte, length as u32)).expect("fill");
    }

    /// `memory.copy`.
    #[track_caller]
    pub fn copy(&mut self, to: u64, from: u64, length: u64) {
        self.call::<_, ()>("copy", (to as u32, from as u32, length as u32)).expect("copy");
    }

    /// FNV-1a of a part of the memory.
    #[track_caller]
    pub fn hash(&mut self, at: u64, length: u64) -> u64 {
        let (hash,) = self.call("hash", (at as u32, length as u32)).expect("hash");
        hash
    }

    /// Makes the memory so many pages larger. Returns how many it had.
    #[track_caller]
    pub fn grow(&mut self, pages: u32) -> u32 {
        let (before,) = self.call("grow", (pages,)).expect("grow");
        before
    }

    /// Tells the host a part of its memory as a string, so many times.
    pub fn tell(&mut self, at: u64, length: u64, times: u32) -> Result<()> {
        self.call("tell", (at as u32, length as u32, times))
    }

    /// What it has told.
    pub fn heard(&self) -> &Heard {
        &self.heard
    }

    /// What the store uses, which outlives it.
    pub fn usage(&self) -> Arc<Usage> {
        self.host.usage()
    }

    /// The store, which goes with the guest otherwise.
    pub fn into_host(self) -> Host {
        self.host
    }

    /// The store.
    pub fn host(&mut self) -> &mut Host {
        &mut self.host
    }
}

/// How long a region is at least for a window of so many bytes.
pub fn region_of(length: u64) -> u64 {
    (length.next_multiple_of(crate::scene::page()) + 8).next_multiple_of(UNIT)
}

/// How many ranges of addresses this process has over a file whose path ends so.
pub fn ranges_over(name: &str) -> usize {
    let maps = std::fs::read_to_string("/proc/self/maps").expect("the ranges");
    maps.lines().filter(|line| line.ends_with(name)).count()
}
