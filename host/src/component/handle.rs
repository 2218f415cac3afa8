//! What a store's table holds for a guest's `mapping`.

use super::opener::Opener;
use crate::error::Error;
use crate::grants::Grants;
use crate::mapping::{Mapped, Mapping};
use crate::usage::{Reservation, Resource, Usage};
use std::sync::Arc;

/// What a store's table holds for a guest's `mapping`: the mapping itself, which is the guest's
/// alone. An embedder that opens a mapping gives it to a guest by one:
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let dir = tempfile::tempdir()?;
/// # let path = dir.path().join("index");
/// # std::fs::write(&path, "hello")?;
/// use iommap::{Mapping, MappingHandle};
/// use wasmtime::component::{Resource, ResourceTable};
///
/// // For a function that takes an `own<mapping>`.
/// let mut table = ResourceTable::new();
/// let handle: Resource<MappingHandle> = table.push(Mapping::open(&path)?.into())?;
/// assert!(handle.owned());
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct MappingHandle {
    pub(super) mapped: Mapped,
    /// A handle takes memory until it is dropped, also when its mapping was closed.
    place: Option<Reservation>,
    /// Whether calls on it may wait on an executor's thread, where no context says so.
    #[cfg(feature = "async")]
    pub(super) may_block: bool,
}

impl MappingHandle {
    /// Was it opened for a guest by the context with this usage, or by the embedder itself?
    #[cfg(feature = "windows")]
    pub(super) fn is_of(&self, usage: &Arc<Usage>) -> bool {
        self.place.is_none() || Arc::ptr_eq(self.mapped.usage(), usage)
    }

    /// Was it opened by the context with this usage, in whose grants its path is looked up?
    pub(super) fn was_opened_by(&self, usage: &Arc<Usage>) -> bool {
        Arc::ptr_eq(self.mapped.usage(), usage)
    }

    /// Opens a mapping for a guest. The place for its handle is taken before.
    pub(super) fn open(
        opener: &Opener,
        open: impl FnOnce(&Grants, &Arc<Usage>) -> Result<Mapped, Error>,
    ) -> Result<MappingHandle, Error> {
        let handle = Reservation::new(&opener.usage, Resource::Handles, 1)?;
        Ok(MappingHandle {
            mapped: open(&opener.grants, &opener.usage)?,
            place: Some(handle),
            #[cfg(feature = "async")]
            may_block: opener.may_block,
        })
    }
}

impl From<Mapping> for MappingHandle {
    fn from(mapping: Mapping) -> MappingHandle {
        MappingHandle {
            mapped: mapping.into_mapped(),
            place: None,
            #[cfg(feature = "async")]
            may_block: false,
        }
    }
}
