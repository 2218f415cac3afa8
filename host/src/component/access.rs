//! How calls find what they need in a store's data.

use super::handle::MappingHandle;
use super::{Getter, Handle};
use crate::component::{IommapCtx, IommapCtxView};
use crate::error::Error;
use crate::mapping::Mapped;
use wasmtime::Result;
use wasmtime::component::{Resource, ResourceTable};

/// Where in a store's data a mapping's calls find it.
pub(super) enum Access<T: 'static> {
    /// By the view of the store's own context.
    Own(Getter<T>),
    /// By the table alone: the context is none of the store's.
    Table(fn(&mut T) -> &mut ResourceTable),
}

impl<T> Clone for Access<T> {
    fn clone(&self) -> Access<T> {
        *self
    }
}

impl<T> Copy for Access<T> {}

impl<T> Access<T> {
    #[inline]
    pub(super) fn view(self, data: &mut T) -> View<'_> {
        match self {
            Access::Own(get) => get(data).into(),
            Access::Table(table) => View { ctx: None, table: table(data) },
        }
    }
}

/// What a call on a mapping sees of a store.
pub(super) struct View<'a> {
    ctx: Option<&'a mut IommapCtx>,
    table: &'a mut ResourceTable,
}

impl<'a> From<IommapCtxView<'a>> for View<'a> {
    #[inline]
    fn from(view: IommapCtxView<'a>) -> View<'a> {
        View { ctx: Some(view.ctx), table: view.table }
    }
}

impl<'a> View<'a> {
    /// The mapping behind a handle. A handle that names none is a bug of the guest's runtime or
    /// of the host, and traps.
    #[inline]
    pub(super) fn mapped(&self, handle: &Handle) -> Result<&Mapped> {
        Ok(&self.table.get(handle)?.mapped)
    }

    /// The same, with what the host keeps beside it.
    pub(super) fn mapping(&self, handle: &Handle) -> Result<&MappingHandle> {
        Ok(self.table.get(handle)?)
    }

    /// The same, to change it.
    pub(super) fn mapped_mut(&mut self, handle: &Handle) -> Result<&mut Mapped> {
        Ok(&mut self.table.get_mut(handle)?.mapped)
    }

    /// Copies out of a mapping, as `read` does, and counts the bytes.
    #[inline]
    pub(super) fn read(
        self,
        handle: &Handle,
        read: impl FnOnce(&Mapped) -> std::result::Result<u64, Error>,
    ) -> Result<std::result::Result<(), Error>> {
        let mapped = &self.table.get(handle)?.mapped;
        let done = read(mapped);
        Ok(done.map(|bytes| match self.ctx {
            Some(ctx) => ctx.counter.count_read(bytes),
            None => mapped.usage().count_read(bytes),
        }))
    }

    /// Copies into a mapping, as `write` does, and counts the bytes.
    #[inline]
    pub(super) fn write(
        self,
        handle: &Handle,
        write: impl FnOnce(&mut Mapped) -> std::result::Result<u64, Error>,
    ) -> Result<std::result::Result<(), Error>> {
        let mapped = &mut self.table.get_mut(handle)?.mapped;
        let done = write(mapped);
        Ok(done.map(|bytes| match self.ctx {
            Some(ctx) => ctx.counter.count_written(bytes),
            None => mapped.usage().count_written(bytes),
        }))
    }

    /// May calls on a mapping wait on the executor's thread?
    #[cfg(feature = "async")]
    pub(super) fn may_block(&self, handle: &Handle) -> Result<bool> {
        Ok(match &self.ctx {
            Some(ctx) => ctx.allow_blocking_current_thread,
            None => self.table.get(handle)?.may_block,
        })
    }

    /// Gives the guest a handle to a mapping.
    pub(super) fn push(&mut self, handle: MappingHandle) -> Result<Handle> {
        Ok(self.table.push(handle)?)
    }

    /// Takes a handle back; the mapping closes with it.
    pub(super) fn drop_handle(&mut self, rep: u32) -> Result<()> {
        self.table.delete(Resource::<MappingHandle>::new_own(rep))?;
        Ok(())
    }
}
