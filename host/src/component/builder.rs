//! How an embedder sets a store's context up.

use super::IommapCtx;
use crate::grants::Grants;
use crate::mapping::{FsPerms, Mapping, Owner, SharedMemory};
use crate::usage::local::LocalCounter;
use crate::usage::{Budget, Limits, Usage};
use std::io;
#[cfg(feature = "wasi")]
use std::os::fd::{AsFd, AsRawFd};
use std::path::Path;
#[cfg(feature = "wasi")]
use std::path::PathBuf;
use std::sync::Arc;

/// Builds an [`IommapCtx`], in the manner of wasmtime-wasi's `WasiCtxBuilder`.
///
/// ```
/// use iommap::IommapCtxBuilder;
/// let ctx = IommapCtxBuilder::new().max_mapped_bytes(1 << 30).max_call_bytes(1 << 20).build();
/// assert_eq!(ctx.usage().limits().mapped_bytes, 1 << 30);
/// ```
#[derive(Debug)]
pub struct IommapCtxBuilder {
    name: Option<String>,
    grants: Grants,
    limits: Limits,
    budget: Option<Arc<Budget>>,
    #[cfg(feature = "windows")]
    windows_on_changing_files: bool,
    #[cfg(feature = "windows")]
    writable_windows: bool,
    #[cfg(feature = "async")]
    allow_blocking_current_thread: bool,
}

impl Default for IommapCtxBuilder {
    fn default() -> IommapCtxBuilder {
        let mut grants = Grants::default();
        grants.common_regions(true);
        IommapCtxBuilder {
            name: None,
            grants,
            limits: Limits::default(),
            budget: None,
            #[cfg(feature = "windows")]
            windows_on_changing_files: false,
            #[cfg(feature = "windows")]
            writable_windows: false,
            #[cfg(feature = "async")]
            allow_blocking_current_thread: false,
        }
    }
}

impl IommapCtxBuilder {
    /// A builder that grants nothing yet, with the default [`Limits`].
    pub fn new() -> IommapCtxBuilder {
        IommapCtxBuilder::default()
    }

    /// Grants a directory of the host to the guest under the name `guest_path`, as
    /// `WasiCtxBuilder::preopened_dir` does. See [`Grants::preopened_dir`] for how names match.
    ///
    /// # Errors
    ///
    /// The directory cannot be opened.
    pub fn preopened_dir(
        &mut self,
        host_path: impl AsRef<Path>,
        guest_path: impl AsRef<str>,
        perms: FsPerms,
    ) -> io::Result<&mut IommapCtxBuilder> {
        self.grants.preopened_dir(host_path, guest_path, perms)?;
        Ok(self)
    }

    /// Names the store, for the log: a tenant, a plugin, a request. `store-` and a number unless
    /// set.
    pub fn name(&mut self, name: impl Into<String>) -> &mut IommapCtxBuilder {
        self.name = Some(name.into());
        self
    }

    /// Grants wasmtime-wasi's context every directory that was granted here, under the same
    /// name, for reading only where it is read-only here: nobody lists directories twice. Mappings
    /// that were shared are none of WASI's.
    ///
    /// ```
    /// # fn main() -> wasmtime::Result<()> {
    /// # let dir = tempfile::tempdir()?;
    /// # let (host_dir, cache_dir) = (dir.path(), dir.path());
    /// use iommap::{FsPerms, IommapCtx};
    /// use wasmtime_wasi::WasiCtx;
    /// let mut iommap = IommapCtx::builder();
    /// iommap
    ///     .preopened_dir(host_dir, "/data", FsPerms::ReadOnly)?
    ///     .preopened_dir(cache_dir, "/cache", FsPerms::ReadWrite)?;
    /// let mut wasi = WasiCtx::builder();
    /// iommap.preopen_into(&mut wasi)?;
    /// let (iommap, wasi) = (iommap.build(), wasi.build());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// On Linux, with `/proc`, what WASI gets is the very directory that was granted, whatever its path
    /// leads to by now. Elsewhere its path is looked up again.
    ///
    /// # Errors
    ///
    /// A directory cannot be opened again; or it was granted open, by [`Grants::preopened`], and
    /// where it is opened by its path there is none.
    #[cfg(feature = "wasi")]
    pub fn preopen_into(&self, wasi: &mut wasmtime_wasi::WasiCtxBuilder) -> wasmtime::Result<()> {
        for (dir, grant) in self.grants.open_directories() {
            let guest_path = &*grant.guest_path;
            // WASI takes no directory that is open already, but its name.
            let same = PathBuf::from(format!("/proc/thread-self/fd/{}", dir.as_fd().as_raw_fd()));
            let path = match &grant.host_path {
                _ if cfg!(target_os = "linux") && same.exists() => &same,
                Some(host_path) => &**host_path,
                None => wasmtime::bail!(
                    "the grant {guest_path} was open already: WASI opens directories by path"
                ),
            };
            wasi.preopened_dir(path, guest_path, grant.perms.into())
                .map_err(|error| error.context(format!("cannot grant {guest_path} to WASI")))?;
        }
        Ok(())
    }

    /// Shares a mapping with the guest under the path `guest_path`: see [`Grants::share`].
    pub fn share(
        &mut self,
        guest_path: impl AsRef<str>,
        mapping: impl Into<Arc<Mapping>>,
        perms: FsPerms,
    ) -> &mut IommapCtxBuilder {
        self.grants.share(guest_path, mapping, perms);
        self
    }

    /// Grants a pool of shared memory under the path `guest_path`: stores that are granted the same one
    /// open its regions by name, as files. See [`Grants::shared_memory`].
    ///
    /// ```
    /// use iommap::{FsPerms, IommapCtx, SharedMemory};
    /// let memory = SharedMemory::new(16 << 20);
    /// let mut builder = IommapCtx::builder();
    /// builder.shared_memory("/shm", &memory, FsPerms::ReadWrite);
    /// let (one, other) = (builder.build(), builder.build());
    /// # assert_eq!((one.counters().mappings, other.counters().mappings), (0, 0));
    /// ```
    pub fn shared_memory(
        &mut self,
        guest_path: impl AsRef<str>,
        memory: &SharedMemory,
        perms: FsPerms,
    ) -> &mut IommapCtxBuilder {
        self.grants.shared_memory(guest_path, memory, perms);
        self
    }

    /// Whether a file that another store has mapped already, with the same mode and at the same
    /// length, is mapped a second time, or both use one region: on unless set, so that ten
    /// thousand stores on one index take one range of address space. See
    /// [`Grants::common_regions`], also for what speaks against it.
    pub fn common_regions(&mut self, common: bool) -> &mut IommapCtxBuilder {
        self.grants.common_regions(common);
        self
    }

    /// What the store may use together with others: [`Budget::of_process`] unless set.
    pub fn budget(&mut self, budget: Arc<Budget>) -> &mut IommapCtxBuilder {
        self.budget = Some(budget);
        self
    }

    /// Sets all limits at once.
    pub fn limits(&mut self, limits: Limits) -> &mut IommapCtxBuilder {
        self.limits = limits;
        self
    }

    /// How many mappings may be open at once: 64 unless set.
    pub fn max_mappings(&mut self, mappings: u64) -> &mut IommapCtxBuilder {
        self.limits.mappings = mappings;
        self
    }

    /// How many handles of mappings and windows a guest may hold at once, closed ones too: 4,096
    /// unless set.
    pub fn max_handles(&mut self, handles: u64) -> &mut IommapCtxBuilder {
        self.limits.handles = handles;
        self
    }

    /// How many bytes may be mapped at once, all mappings together: 64 GiB unless set. They are
    /// address space and page cache.
    pub fn max_mapped_bytes(&mut self, bytes: u64) -> &mut IommapCtxBuilder {
        self.limits.mapped_bytes = bytes;
        self
    }

    /// How long, in bytes, a file may be made: 64 GiB unless set.
    pub fn max_file_bytes(&mut self, bytes: u64) -> &mut IommapCtxBuilder {
        self.limits.file_bytes = bytes;
        self
    }

    /// How many bytes one call may move: 64 MiB unless set. For writes of more than 128 MiB wasmtime's
    /// own allowance has to be raised as well: `Store::set_hostcall_fuel`.
    pub fn max_call_bytes(&mut self, bytes: u64) -> &mut IommapCtxBuilder {
        self.limits.call_bytes = bytes;
        self
    }

    /// How many bytes may be locked in memory at once: 0 unless set, which refuses `lock`.
    pub fn max_locked_bytes(&mut self, bytes: u64) -> &mut IommapCtxBuilder {
        self.limits.locked_bytes = bytes;
        self
    }

    /// How many bytes of pages a guest may have written in `private` mappings, which a read-only
    /// grant allows: 64 MiB unless set. They are memory of the host's that can't be evicted.
    pub fn max_private_bytes(&mut self, bytes: u64) -> &mut IommapCtxBuilder {
        self.limits.private_bytes = bytes;
        self
    }

    /// How many windows there may be at once: 0 unless set, so that there are none. With more, each
    /// mapping keeps a descriptor. See [`max_window_bytes`](Self::max_window_bytes), too.
    pub fn max_windows(&mut self, windows: u64) -> &mut IommapCtxBuilder {
        self.limits.windows = windows;
        self
    }

    /// How many bytes there may be in windows at once, in whole pages: 0 unless set. They lie in the
    /// guest's memory, whose own limit has to be large enough for them, and bounds also what the
    /// guest may store there.
    pub fn max_window_bytes(&mut self, bytes: u64) -> &mut IommapCtxBuilder {
        self.limits.window_bytes = bytes;
        self
    }

    /// How many ranges of files may be locked at once: 0 unless set, so that there are no locks. Ranges
    /// that touch and have one mode are one. With more, each mapping keeps a descriptor, and two once
    /// it was asked for a lock. See [`locks`](crate::locks).
    pub fn max_locks(&mut self, locks: u64) -> &mut IommapCtxBuilder {
        self.limits.locks = locks;
        self
    }

    /// How many waits for changes of files there may be at once: 0 unless set, so that guests
    /// neither ask what has become of a file, nor map it anew, nor wait. With more, each mapping keeps
    /// a descriptor. See [`changes`](crate::changes).
    pub fn max_watches(&mut self, watches: u64) -> &mut IommapCtxBuilder {
        self.limits.watches = watches;
        self
    }

    /// How many may wait on words at once: 0 unless set, so that nobody may. A store waits for one
    /// thing at a time; a context that several stores share may have more who wait. Each takes a
    /// thread. See [`atomics`](crate::atomics).
    pub fn max_waiters(&mut self, waiters: u64) -> &mut IommapCtxBuilder {
        self.limits.waiters = waiters;
        self
    }

    /// Lets the guest have windows on any file that it may map, and not only on those whose bytes
    /// nobody can change: sealed memory files, such as [`Mapping::frozen_copy`] makes, and files with
    /// fs-verity.
    ///
    /// wasmtime takes it for granted that a guest's memory does not change while the host reads it.
    /// For one, it looks whether the bytes of a string are UTF-8, and copies them afterwards. A file
    /// that is written in between makes a `String` that is not UTF-8, which is undefined behaviour.
    /// Cutting a file short is such a change too: what is behind the new end becomes zeros, and that
    /// may be the second half of a character.
    ///
    /// # Safety
    ///
    /// While a host call reads the guest's memory, nobody writes to a file that the guest has a
    /// window on, nor cuts it short: no other process, no other guest, and not this guest, by its own
    /// `pwrite` and `truncate` in another thread's store, or by a write through WASI that goes on in
    /// the background. Files that are replaced by `rename` and never changed in place are safe, in
    /// directories that guests have for reading only.
    ///
    /// Where a file is changed all the same, no more is promised than that the process is not ended
    /// by a lost page.
    #[cfg(feature = "windows")]
    pub unsafe fn windows_on_changing_files(&mut self, allow: bool) -> &mut IommapCtxBuilder {
        self.windows_on_changing_files = allow;
        self
    }

    /// Lets the guest have windows that are `shared`: what it stores there reaches the file, if it
    /// may write to it.
    ///
    /// # Safety
    ///
    /// What [`windows_on_changing_files`](Self::windows_on_changing_files) says of a file holds of
    /// one with such a window as well, and guests change it by plain stores. So the guest is trusted:
    /// while another guest has a window on the file, it stores nothing there, and it has no other
    /// window of its own on the same bytes. Otherwise the memory of a guest changes, or two places of
    /// it are one, where the host takes it for granted that neither is so.
    #[cfg(feature = "windows")]
    pub unsafe fn writable_windows(&mut self, allow: bool) -> &mut IommapCtxBuilder {
        self.writable_windows = allow;
        self
    }

    /// With `add_to_linker_async`: lets calls that wait for a device wait on the executor's
    /// thread, as `WasiCtxBuilder::allow_blocking_current_thread` does. Off unless set. It saves
    /// the hand-over to another thread, and suits an executor that runs one guest a thread.
    #[cfg(feature = "async")]
    pub fn allow_blocking_current_thread(&mut self, allow: bool) -> &mut IommapCtxBuilder {
        self.allow_blocking_current_thread = allow;
        self
    }

    /// The context. The builder is left with what it has, so that contexts for more stores, each
    /// with a usage of its own, can be built from it.
    pub fn build(&mut self) -> IommapCtx {
        let budget = self.budget.clone().unwrap_or_else(Budget::of_process);
        let usage = match &self.name {
            Some(name) => Usage::within(self.limits.clone(), name, budget),
            None => Usage::within(self.limits.clone(), Usage::next_name(), budget),
        };
        IommapCtx {
            grants: Arc::new(self.grants.clone()),
            counter: LocalCounter::of_new(usage),
            owner: Owner::new(),
            #[cfg(feature = "windows")]
            windows: None,
            #[cfg(feature = "windows")]
            windows_on_changing_files: self.windows_on_changing_files,
            #[cfg(feature = "windows")]
            writable_windows: self.writable_windows,
            #[cfg(feature = "async")]
            allow_blocking_current_thread: self.allow_blocking_current_thread,
        }
    }
}
