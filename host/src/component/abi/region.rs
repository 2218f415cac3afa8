//! The region that a guest names for a window, and the memory that it lies in.

use crate::component::bindings::windows::Region;
use crate::error::{Error, ErrorKind};
use crate::mapping::GRAIN;
use std::ops::Range;
use wasmtime::component::__internal::wasmtime_environ::component::OptionsIndex;
use wasmtime::component::__internal::{
    CanonicalAbiInfo, InstanceType, InterfaceType, LiftContext, LowerContext,
};
use wasmtime::component::{ComponentType, Instance, Lift};
use wasmtime::{AsContextMut, Result, StoreContextMut};

/// How many bytes of a region are its token's.
const TOKEN: usize = 8;

/// A guest's memory: that of whoever made a call, as the call's canonical options name it.
#[derive(Clone, Copy)]
pub(crate) struct GuestMemory {
    instance: Instance,
    options: OptionsIndex,
    base: usize,
}

impl GuestMemory {
    /// The memory's bytes now; `None` if they are elsewhere than they were in the call that this
    /// comes from. The store is the one of that call.
    pub(crate) fn bytes<'a, T: 'static>(
        &self,
        store: &'a mut StoreContextMut<'_, T>,
    ) -> Option<&'a mut [u8]> {
        let mut cx = LowerContext::new(store.as_context_mut(), self.options, self.instance);
        let bytes: *mut [u8] = cx.as_slice_mut();
        // SAFETY: lent by the store, which stays borrowed for as long.
        let bytes = unsafe { &mut *bytes };
        (bytes.as_ptr().addr() == self.base).then_some(bytes)
    }
}

/// Whether a region of so many bytes has room for a window of so many, and for the token.
pub(crate) fn has_room(region: usize, span: usize) -> std::result::Result<(), Error> {
    if span.checked_add(TOKEN).is_some_and(|needed| needed <= region) {
        return Ok(());
    }
    Err(Error::because(ErrorKind::Badarg, "the region has no room for the pages and the token"))
}

/// A guest's `region`, with the memory that it lies in.
pub(crate) struct GuestRegion {
    region: Region,
    memory: GuestMemory,
    /// Of the memory, in bytes.
    size: usize,
}

impl GuestRegion {
    /// The region as a range of the memory, if it may hold a window of so many bytes; or what is
    /// wrong with it.
    pub(crate) fn range(&self, span: usize) -> std::result::Result<Range<usize>, Error> {
        let Region { address, length, token } = self.region;
        let wrong = |reason| Err(Error::because(ErrorKind::Badarg, reason));
        if !address.is_multiple_of(GRAIN) || !length.is_multiple_of(GRAIN) {
            return wrong("the region is not on multiples of 65,536");
        }
        let end = address.checked_add(length).and_then(|end| usize::try_from(end).ok());
        let Some(end) = end.filter(|end| *end <= self.size) else {
            return wrong("the region leaves the memory");
        };
        // Neither is more than the memory's size from here on.
        let (start, length) = (address as usize, length as usize);
        has_room(length, span)?;
        if token == 0 {
            return wrong("the token is 0");
        }
        Ok(start..end)
    }

    /// Whether the token is where it should be: at the end of `range`, which is this region's.
    pub(crate) fn has_token<T: 'static>(
        &self,
        store: &mut StoreContextMut<'_, T>,
        range: &Range<usize>,
    ) -> bool {
        let bytes = self.memory.bytes(store).and_then(|bytes| bytes.get(range.clone()));
        let token = bytes.and_then(|bytes| bytes.last_chunk::<TOKEN>());
        token.is_some_and(|token| u64::from_le_bytes(*token) == self.region.token)
    }

    /// Where a range of the memory was when the call was made.
    pub(crate) fn addresses(&self, range: &Range<usize>) -> Range<usize> {
        self.memory.base + range.start..self.memory.base + range.end
    }

    /// The memory that it lies in.
    pub(crate) fn memory(&self) -> GuestMemory {
        self.memory
    }

    fn new(cx: &mut LiftContext<'_>, region: Region) -> GuestRegion {
        let memory = GuestMemory {
            instance: cx.instance_handle(),
            options: cx.options_index(),
            base: cx.memory().as_ptr().addr(),
        };
        GuestRegion { region, memory, size: cx.memory().len() }
    }
}

// SAFETY: everything that describes the type is that of `Region`.
unsafe impl ComponentType for GuestRegion {
    type Lower = <Region as ComponentType>::Lower;
    const ABI: CanonicalAbiInfo = <Region as ComponentType>::ABI;

    fn typecheck(ty: &InterfaceType, types: &InstanceType<'_>) -> Result<()> {
        <Region as ComponentType>::typecheck(ty, types)
    }
}

// SAFETY: lifted as `Region` is.
unsafe impl Lift for GuestRegion {
    fn linear_lift_from_flat(
        cx: &mut LiftContext<'_>,
        ty: InterfaceType,
        src: &Self::Lower,
    ) -> Result<GuestRegion> {
        let region = Region::linear_lift_from_flat(cx, ty, src)?;
        Ok(GuestRegion::new(cx, region))
    }

    fn linear_lift_from_memory(
        cx: &mut LiftContext<'_>,
        ty: InterfaceType,
        bytes: &[u8],
    ) -> Result<GuestRegion> {
        let region = Region::linear_lift_from_memory(cx, ty, bytes)?;
        Ok(GuestRegion::new(cx, region))
    }
}
