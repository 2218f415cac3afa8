//! How a reply gets into the guest's memory.

use super::{Bytes, ReadManyReply, ReadReply, Source, changed};
use crate::error::{Error, ErrorKind};
use std::fmt::Debug;
use std::mem::MaybeUninit;
use std::ops::Range;
use std::result::Result as StdResult;
use wasmtime::component::__internal::{
    CanonicalAbiInfo, ComponentVariant, InstanceType, InterfaceType, LowerContext,
};
use wasmtime::component::{ComponentType, Lower};
use wasmtime::{Result, bail};

/// Lowers a reply: memory from the guest, the copy, and at last the discriminant.
///
/// `length` is how many bytes there will be, if the call is allowed at all. `fill` copies them to
/// the range of the guest's memory that it is given, and calls [`Place::put`] there.
fn reply<T, S: 'static>(
    source: &Source<S>,
    arguments: &dyn Debug,
    cx: &mut LowerContext<'_, T>,
    ty: InterfaceType,
    offset: usize,
    length: &StdResult<u64, Error>,
    fill: impl FnOnce(&mut LowerContext<'_, T>, Place) -> Result<StdResult<(), Error>>,
) -> Result<()> {
    // A list's length is 32 bits wide. The limit on a call is far below, unless it was raised.
    let length = match length {
        Ok(length) => u32::try_from(*length).map_err(|_| ErrorKind::LimitExceeded.into()),
        Err(error) => Err(error.clone()),
    };
    let filled = match length {
        Ok(length) => {
            // wasmtime has checked that what comes back lies in the guest's memory.
            let start = cx.realloc(0, 0, 1, length as usize)?;
            fill(cx, Place { offset, start, length })?
        }
        Err(error) => Err(error),
    };
    if filled.is_ok() && !source.call.is_told() {
        return Ok(());
    }
    match source.answer(cx, arguments, filled)? {
        Ok(()) => Ok(()),
        // The guest never learns where memory that it gave is, and can't free it. The canonical ABI
        // could only make it small, by a second `realloc`; that of componentize-py traps on
        // anything but a first one, and a trap is worse than a buffer lost.
        Err(code) => Bytes::Err(code).linear_lower_to_memory(cx, ty, offset),
    }
}

/// Where in the guest's memory a reply goes: the result itself, and its list.
#[derive(Clone, Copy)]
pub(super) struct Place {
    offset: usize,
    start: usize,
    length: u32,
}

impl Place {
    pub(super) fn list(self) -> Range<usize> {
        self.start..self.start + self.length as usize
    }

    /// Writes the result, now that the list is whole, and says how many bytes it has.
    pub(super) fn put(self, memory: &mut [u8]) -> StdResult<u64, Error> {
        // Never out of range either, as `piece` says.
        let result = piece(memory, self.offset..self.offset + RESULT_BYTES)?;
        let payload = <Bytes as ComponentVariant>::PAYLOAD_OFFSET32;
        result[payload..payload + 4].copy_from_slice(&(self.start as u32).to_le_bytes());
        result[payload + 4..payload + 8].copy_from_slice(&self.length.to_le_bytes());
        result[0] = 0;
        Ok(self.length.into())
    }
}

pub(super) fn piece(memory: &mut [u8], range: Range<usize>) -> StdResult<&mut [u8], Error> {
    // Never out of range: wasmtime checked it, and a guest's memory does not shrink.
    memory.get_mut(range).ok_or_else(changed)
}

/// Says that a reply is to wasmtime what [`Bytes`] is, and lowers it by a function of its own.
macro_rules! lower_as_bytes {
    ($reply:ident, |$self:ident, $cx:ident, $ty:ident, $offset:ident| $lower:expr) => {
        // SAFETY: everything that describes the type is that of `Bytes`.
        unsafe impl<S: 'static> ComponentType for $reply<S> {
            type Lower = <Bytes as ComponentType>::Lower;
            const ABI: CanonicalAbiInfo = <Bytes as ComponentType>::ABI;

            fn typecheck(ty: &InterfaceType, types: &InstanceType<'_>) -> Result<()> {
                <Bytes as ComponentType>::typecheck(ty, types)
            }
        }

        // SAFETY: `lower` writes what `Bytes` would: a discriminant, and a list that lies in
        // memory from the guest's `realloc` or an error that `Bytes` itself writes. The flat
        // form is never claimed to be written.
        unsafe impl<S: 'static> Lower for $reply<S> {
            fn linear_lower_to_flat<T>(
                &self,
                _: &mut LowerContext<'_, T>,
                _: InterfaceType,
                _: &mut MaybeUninit<Self::Lower>,
            ) -> Result<()> {
                // More than one flat value is always returned through memory.
                bail!("result<list<u8>, error-code> has no flat form as a result")
            }

            fn linear_lower_to_memory<T>(
                &$self,
                $cx: &mut LowerContext<'_, T>,
                $ty: InterfaceType,
                $offset: usize,
            ) -> Result<()> {
                $lower
            }
        }
    };
}

lower_as_bytes!(ReadReply, |self, cx, ty, offset| {
    let fill = |cx: &mut LowerContext<'_, T>, place: Place| self.fill(cx, place);
    reply(&self.source, &self.range, cx, ty, offset, &self.length, fill)
});

lower_as_bytes!(ReadManyReply, |self, cx, ty, offset| {
    let fill = |cx: &mut LowerContext<'_, T>, place: Place| self.fill(cx, place);
    let ranges = ("ranges", self.ranges.len());
    reply(&self.source, &ranges, cx, ty, offset, &self.length, fill)
});

/// A `result<list<u8>, error-code>` in a guest's memory.
const RESULT_BYTES: usize = <Bytes as ComponentType>::SIZE32;

// The layouts that this file takes for granted.
const _: () = {
    assert!(<Bytes as ComponentVariant>::PAYLOAD_OFFSET32 + 8 <= RESULT_BYTES);
};
