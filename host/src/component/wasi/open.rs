//! `iommap:wasi/open-files`: finds the descriptor of a file that the guest has open and knows by its
//! C library's number only.
//!
//! wasi-libc shows half of WASI's `metadata-hash` as a file's inode number. So the host looks through
//! the descriptors in the store's table for one with this hash, and maps it as if the guest had named
//! it. A guest gets nothing that it doesn't hold already; but the table is the whole store's, so of
//! components that are composed each reaches what the others have open, as long as it knows or
//! guesses which file that is. An embedder who keeps such components apart doesn't add it.

use super::{Call, Descriptors, Getter, Import, Request, elsewhere, granted};
use crate::component::access::Entry;
use crate::component::bindings::types::{AccessMode, OpenFlags};
use crate::component::convert::open_options;
use crate::component::opener::Opener;
use crate::error::{Error, ErrorKind};
use crate::mapping::FsPerms;
use std::fs::File;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::os::unix::fs::MetadataExt;
use std::result::Result as StdResult;
use std::sync::Arc;
use tracing::{Instrument, trace_span};
use wasmtime::component::{Linker, ResourceTable};
use wasmtime::{Result, StoreContextMut};
use wasmtime_wasi::OpenMode;
use wasmtime_wasi::filesystem::Descriptor;

/// The interface, as components import it.
const INTERFACE: &str = "iommap:wasi/open-files@0.1.0";

/// `map-open`'s parameters as a guest passes them.
type Params = (u64, AccessMode, OpenFlags, Option<u64>);

/// Adds `iommap:wasi/open-files` to a linker, beside what [`add_to_linker`](super::add_to_linker)
/// adds: a guest can map a file that its standard library has open, by its inode number. Programs
/// that are written on `memmap2` need it.
///
/// # Errors
///
/// The linker has a definition of the interface already.
pub fn add_open_files_to_linker<T: 'static>(
    linker: &mut Linker<T>,
    get: Getter<T>,
    descriptors: Descriptors<T>,
) -> Result<()> {
    add(linker, &Import::new(get), descriptors)
}

/// The same, for whatever import.
pub(in crate::component) fn add<T: 'static>(
    linker: &mut Linker<T>,
    import: &Import<T>,
    descriptors: Descriptors<T>,
) -> Result<()> {
    let (get, find) = (import.access, import.find.clone());
    linker.instance(INTERFACE)?.func_wrap(
        "map-open",
        move |mut store: StoreContextMut<'_, T>, params: Params| {
            let _span = trace_span!("map-open", hash = params.0).entered();
            let opener = find(store.data_mut())?;
            let request = Search::new(descriptors(store.data_mut()), params, &opener).run();
            let mapped = request.map(&opener);
            request.answer(get.view(store.data_mut()), &opener, mapped)
        },
    )
}

/// Adds `iommap:wasi/open-files` to a linker for async stores, as
/// [`add_to_linker_async`](super::add_to_linker_async) does the rest.
///
/// # Errors
///
/// The linker has a definition of the interface already.
pub fn add_open_files_to_linker_async<T: Send + 'static>(
    linker: &mut Linker<T>,
    get: Getter<T>,
    descriptors: Descriptors<T>,
) -> Result<()> {
    add_async(linker, &Import::new(get), descriptors)
}

/// The same, for whatever import.
pub(in crate::component) fn add_async<T: Send + 'static>(
    linker: &mut Linker<T>,
    import: &Import<T>,
    descriptors: Descriptors<T>,
) -> Result<()> {
    let (get, find) = (import.access, import.find.clone());
    linker.instance(INTERFACE)?.func_wrap_async(
        "map-open",
        move |mut store: StoreContextMut<'_, T>, params: Params| {
            let span = trace_span!("map-open", hash = params.0);
            let opener = find(store.data_mut());
            let call = async move {
                let opener = opener?;
                let search = Search::new(descriptors(store.data_mut()), params, &opener);
                let (request, opener, mapped) = elsewhere(opener.may_block, move || {
                    let request = search.run();
                    let mapped = request.map(&opener);
                    (request, opener, mapped)
                })
                .await?;
                request.answer(get.view(store.data_mut()), &opener, mapped)
            };
            Box::new(call.instrument(span))
        },
    )
}

/// A file that the store has open.
struct Held {
    file: Arc<File>,
    readable: bool,
    perms: FsPerms,
}

/// Which file is wanted, and all that there are; or why they are not looked through.
struct Search {
    held: StdResult<Vec<Held>, Error>,
    params: Params,
}

impl Search {
    /// A guest decides how many there are. If there are more than it may have handles, none is looked
    /// at: nobody could tell which ones were.
    fn new(table: &mut ResourceTable, params: Params, opener: &Opener) -> Search {
        let files = table.iter_mut().filter_map(|entry| match entry.value().downcast_ref()? {
            Descriptor::File(file) => Some(Held {
                file: file.file.clone(),
                readable: file.open_mode.contains(OpenMode::READ),
                perms: granted(file.perms, file.open_mode),
            }),
            Descriptor::Dir(_) => None,
        });
        let most = usize::try_from(opener.usage.limits().handles).unwrap_or(usize::MAX);
        let held: Vec<Held> = files.take(most.saturating_add(1)).collect();
        let held = match held.len() > most {
            true => Err(Error::because(
                ErrorKind::LimitExceeded,
                format!("more files are open than are looked through (handles is {most})"),
            )),
            false => Ok(held),
        };
        Search { held, params }
    }

    /// Finds the one that allows most.
    fn run(self) -> Request {
        let (hash, mode, flags, size) = self.params;
        let best = self.held.and_then(|held| {
            let same = held.into_iter().filter(|held| inode_number(&held.file) == Some(hash));
            let best = same.max_by_key(|held| (held.readable, held.perms == FsPerms::ReadWrite));
            best.ok_or_else(|| ErrorKind::Enoent.into())
        });
        let (file, readable, perms) = match best {
            Ok(Held { file, readable, perms }) => (Ok(file), readable, perms),
            Err(error) => (Err(error), false, FsPerms::ReadOnly),
        };
        Request {
            call: Call::new("map-open"),
            name: format!("open file {hash:016x}"),
            file,
            readable,
            perms,
            options: open_options(mode, flags, size),
        }
    }
}

/// What a guest's C library shows as the file's inode number: the lower half of WASI's hash, as
/// wasmtime-wasi makes it.
fn inode_number(file: &File) -> Option<u64> {
    let metadata = file.metadata().ok()?;
    let mut hasher = DefaultHasher::new();
    (metadata.dev(), metadata.ino()).hash(&mut hasher);
    Some(hasher.finish())
}
