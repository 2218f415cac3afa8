//! The copy paths across the boundary: one copy between a page and the guest's memory.
//!
//! The only file that touches wasmtime's doc-hidden lift and lower traits, which is why the
//! workspace takes patches of one wasmtime release only. What it does with them:
//!
//! - [`ReadReply`] lowers the whole `result<list<u8>, error-code>` of `pread`: it asks the
//!   guest's `realloc` for the list's memory, copies from the page into it, and writes the
//!   discriminant last, so that a page that is gone is an error and not a list of zeros.
//! - [`ReadManyReply`] does the same for `pread-many`, with one `realloc` for all ranges.
//! - [`RangeList`] lifts `list<range>` without copying it.
//!
//! A guest's `realloc` is the guest's own code. It may trap, run out of memory, answer nonsense,
//! or change what the call was given; it cannot call back into the host (the canonical ABI
//! forbids it, and wasmtime traps). So everything read from the guest's memory before a
//! `realloc` is read and checked again after it, and no lock is held while it runs.
//!
//! The `unsafe` here is all `unsafe impl`: the traits ask an implementation to describe a type
//! truthfully. Each of these describes itself as the type whose description it borrows, and
//! there is no other unsafe code.

use crate::bindings::batch;
use crate::bindings::types::ErrorCode;
use crate::diagnostics::Call;
use crate::error::Error;
use crate::mapping::{Mapping, Range};
use std::mem::MaybeUninit;
use std::result::Result as StdResult;
use std::sync::Arc;
use wasmtime::component::__internal::{
    CanonicalAbiInfo, ComponentVariant, InstanceType, InterfaceType, LiftContext, LowerContext,
};
use wasmtime::component::{ComponentType, Lift, Lower, WasmList};
use wasmtime::{Result, StoreContextMut, ValRaw, bail};

/// What the guest is told: the type whose description the replies below borrow.
type Bytes = StdResult<Vec<u8>, ErrorCode>;

/// The reply to `pread`, copied straight into the guest when wasmtime lowers it.
pub(crate) struct ReadReply {
    mapping: Arc<Mapping>,
    offset: u64,
    wanted: u64,
    /// How many bytes there will be, if the call is allowed at all.
    length: StdResult<u64, Error>,
}

impl ReadReply {
    /// Checks the range, which also sends for its bytes: they arrive while the guest is asked
    /// for memory.
    pub(crate) fn new(mapping: Arc<Mapping>, offset: u64, length: u64) -> ReadReply {
        let allowed = mapping.may_read(offset, length).map(|()| length);
        ReadReply { mapping, offset, wanted: length, length: allowed }
    }

    fn fill(&self, memory: &mut [u8], target: std::ops::Range<usize>) -> StdResult<(), Error> {
        self.mapping.reading()?.read(self.offset, piece(memory, target)?)
    }
}

/// The reply to `pread-many`, likewise.
pub(crate) struct ReadManyReply {
    mapping: Arc<Mapping>,
    ranges: RangeList,
    length: StdResult<u64, Error>,
}

impl ReadManyReply {
    /// Checks every range, and sends for its bytes.
    pub(crate) fn new<T: 'static>(
        mapping: Arc<Mapping>,
        ranges: RangeList,
        store: &StoreContextMut<'_, T>,
    ) -> ReadManyReply {
        let length = mapping.reading().and_then(|reading| reading.check_many(ranges.iter(store)));
        ReadManyReply { mapping, ranges, length }
    }

    /// Copies every range. The list stands in the guest's memory at `list`, which `realloc` and
    /// the copies themselves may write to: each range is read out and checked when it is used.
    fn fill(
        &self,
        memory: &mut [u8],
        target: std::ops::Range<usize>,
        list: usize,
    ) -> StdResult<(), Error> {
        let mut reading = self.mapping.reading()?;
        let mut next = target.start;
        let mut at = list;
        for _ in 0..self.ranges.len() {
            let range = range_at(memory, at).ok_or(Error::BadArg)?;
            at += RANGE_BYTES;
            if range.length > (target.end - next) as u64 {
                return Err(Error::BadArg);
            }
            let end = next + range.length as usize;
            reading.read(range.offset, piece(memory, next..end)?)?;
            next = end;
        }
        if next == target.end { Ok(()) } else { Err(Error::BadArg) }
    }
}

/// Lowers a reply: memory from the guest, the copy, and at last the discriminant.
///
/// `length` is how many bytes there will be, if the call is allowed at all. `fill` copies them
/// to the range of the guest's memory that it is given.
fn reply<T>(
    cx: &mut LowerContext<'_, T>,
    ty: InterfaceType,
    offset: usize,
    length: &StdResult<u64, Error>,
    call: Call<'_>,
    fill: impl FnOnce(&mut [u8], std::ops::Range<usize>) -> StdResult<(), Error>,
) -> Result<()> {
    // A list's length is 32 bits wide. The limit on a call is far below, unless it was raised.
    let length = length.clone().and_then(|n| u32::try_from(n).map_err(|_| Error::LimitExceeded));
    let length = match length {
        Ok(length) => length,
        Err(error) => {
            call.refused(&error, None);
            return Bytes::Err(error.into()).linear_lower_to_memory(cx, ty, offset);
        }
    };
    let bytes = length as usize;
    // wasmtime has checked that what comes back lies in the guest's memory.
    let start = cx.realloc(0, 0, 1, bytes)?;
    let memory = cx.as_slice_mut();
    match fill(memory, start..start + bytes) {
        Ok(()) => {
            let payload = offset + <Bytes as ComponentVariant>::PAYLOAD_OFFSET32;
            put(memory, payload, &(start as u32).to_le_bytes())?;
            put(memory, payload + 4, &length.to_le_bytes())?;
            put(memory, offset, &[0])
        }
        Err(error) => {
            call.refused(&error, None);
            // The guest never learns where this memory is, so it can't free it. The canonical
            // ABI has no way to, but to make it small.
            if bytes > 1 {
                cx.realloc(start, bytes, 1, 1)?;
            }
            Bytes::Err(error.into()).linear_lower_to_memory(cx, ty, offset)
        }
    }
}

fn put(memory: &mut [u8], at: usize, bytes: &[u8]) -> Result<()> {
    match memory.get_mut(at..at + bytes.len()) {
        Some(target) => target.copy_from_slice(bytes),
        None => bail!("the result lies outside the guest's memory"),
    }
    Ok(())
}

fn piece(memory: &mut [u8], range: std::ops::Range<usize>) -> StdResult<&mut [u8], Error> {
    // Never out of range: wasmtime checked it, and a guest's memory does not shrink.
    memory.get_mut(range).ok_or(Error::BadArg)
}

/// Says that a reply is to wasmtime what [`Bytes`] is, and lowers it by a function of its own.
macro_rules! lower_as_bytes {
    ($reply:ty, |$self:ident, $cx:ident, $ty:ident, $offset:ident| $lower:expr) => {
        // SAFETY: everything that describes the type is that of `Bytes`.
        unsafe impl ComponentType for $reply {
            type Lower = <Bytes as ComponentType>::Lower;
            const ABI: CanonicalAbiInfo = <Bytes as ComponentType>::ABI;

            fn typecheck(ty: &InterfaceType, types: &InstanceType<'_>) -> Result<()> {
                <Bytes as ComponentType>::typecheck(ty, types)
            }
        }

        // SAFETY: `lower` writes what `Bytes` would: a discriminant, and a list that lies in
        // memory from the guest's `realloc` or an error that `Bytes` itself writes. The flat
        // form is never claimed to be written.
        unsafe impl Lower for $reply {
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
    let range = Range { offset: self.offset, length: self.wanted };
    let call = Call::on(&self.mapping, "pread", &range);
    reply(cx, ty, offset, &self.length, call, |memory, target| self.fill(memory, target))
});

lower_as_bytes!(ReadManyReply, |self, cx, ty, offset| {
    let list = self.ranges.address(cx);
    let ranges = ("ranges", self.ranges.len());
    let call = Call::on(&self.mapping, "pread-many", &ranges);
    reply(cx, ty, offset, &self.length, call, |memory, target| self.fill(memory, target, list))
});

/// One `range` record in a guest's memory: two little-endian 64-bit words.
const RANGE_BYTES: usize = 16;

/// A guest's `list<range>`, left where it is: its words, two a range.
pub(crate) struct RangeList(WasmList<u64>);

impl RangeList {
    /// How many ranges there are.
    pub(crate) fn len(&self) -> usize {
        self.0.len() / 2
    }

    /// The ranges as they stand in the guest's memory now.
    pub(crate) fn iter<'a, T: 'static>(
        &self,
        store: &'a StoreContextMut<'_, T>,
    ) -> impl ExactSizeIterator<Item = Range> + Clone + use<'a, T> {
        pairs(self.words(store))
    }

    /// Where in the guest's memory the list lies. The guest may say anything of an empty one,
    /// which is never looked at.
    fn address<T: 'static>(&self, cx: &mut LowerContext<'_, T>) -> usize {
        let start = self.words(&cx.store).as_ptr().addr();
        if self.len() == 0 { 0 } else { start - cx.as_slice_mut().as_ptr().addr() }
    }

    fn words<'a, T: 'static>(&self, store: &'a StoreContextMut<'_, T>) -> &'a [u64] {
        self.0.as_le_slice(store)
    }
}

fn pairs(words: &[u64]) -> impl ExactSizeIterator<Item = Range> + Clone + use<'_> {
    words
        .chunks_exact(2)
        .map(|pair| Range { offset: u64::from_le(pair[0]), length: u64::from_le(pair[1]) })
}

fn range_at(memory: &[u8], at: usize) -> Option<Range> {
    let record: &[u8; RANGE_BYTES] = memory.get(at..at + RANGE_BYTES)?.try_into().ok()?;
    let (offset, rest) = record.split_first_chunk()?;
    let length = rest.first_chunk()?;
    Some(Range { offset: u64::from_le_bytes(*offset), length: u64::from_le_bytes(*length) })
}

// SAFETY: everything that describes the type is that of a list of `range` records.
unsafe impl ComponentType for RangeList {
    type Lower = <[batch::Range] as ComponentType>::Lower;
    const ABI: CanonicalAbiInfo = <[batch::Range] as ComponentType>::ABI;

    fn typecheck(ty: &InterfaceType, types: &InstanceType<'_>) -> Result<()> {
        <[batch::Range] as ComponentType>::typecheck(ty, types)
    }
}

// SAFETY: a `range` is two 64-bit words and aligned as one, so a list of n ranges is a list of
// 2n words at the same place. `WasmList` checks that these lie in the guest's memory.
unsafe impl Lift for RangeList {
    fn linear_lift_from_flat(
        cx: &mut LiftContext<'_>,
        ty: InterfaceType,
        src: &Self::Lower,
    ) -> Result<RangeList> {
        let Some(words) = src[1].get_u32().checked_mul(2) else {
            bail!("list pointer/length out of bounds of memory")
        };
        let list = [src[0], ValRaw::u32(words)];
        Ok(RangeList(WasmList::linear_lift_from_flat(cx, ty, &list)?))
    }

    fn linear_lift_from_memory(
        cx: &mut LiftContext<'_>,
        ty: InterfaceType,
        bytes: &[u8],
    ) -> Result<RangeList> {
        let Some((start, rest)) = bytes.split_first_chunk::<4>() else {
            bail!("a list is 8 bytes")
        };
        let Some(count) = rest.first_chunk::<4>() else { bail!("a list is 8 bytes") };
        let list = [u32::from_le_bytes(*start), u32::from_le_bytes(*count)].map(ValRaw::u32);
        Self::linear_lift_from_flat(cx, ty, &list)
    }
}

// The two layouts that this file takes for granted.
const _: () = {
    assert!(<batch::Range as ComponentType>::SIZE32 == RANGE_BYTES);
    assert!(<batch::Range as ComponentType>::ALIGN32 == <u64 as ComponentType>::ALIGN32);
};
