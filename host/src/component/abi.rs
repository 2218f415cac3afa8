//! The copy paths across the boundary: one copy between a page and the guest's memory.
//!
//! The only module that touches wasmtime's doc-hidden lift and lower traits, which is why the
//! workspace takes patches of one wasmtime release only. What it does with them:
//!
//! - [`ReadReply`] lowers the whole `result<list<u8>, error-code>` of `pread`: it asks the
//!   guest's `realloc` for the list's memory, copies from the page into it, and writes the
//!   discriminant last, so that a page that is gone is an error and not a list of zeros.
//! - [`ReadManyReply`] does the same for `pread-many`, with one `realloc` for all ranges.
//! - `lift` leaves the lists and paths that a guest passes where they are.
//! - [`write`] and [`write_many`] copy straight out of the guest's memory, for `pwrite` and
//!   `pwrite-many`.
//!
//! A guest's `realloc` is the guest's own code. It may trap, run out of memory, answer nonsense,
//! or change what the call was given; it cannot call back into the host (the canonical ABI
//! forbids it, and wasmtime traps). So everything read from the guest's memory before a
//! `realloc` is read and checked again after it, and nothing is held while it runs: neither a
//! lock nor the mapping itself, which is looked up again.
//!
//! The `unsafe` here is of two kinds. The traits ask an implementation to describe a type
//! truthfully: each of these describes itself as the type whose description it borrows. And a
//! copy has two ends in one store, the guest's memory and the mapping in the store's data, which
//! wasmtime does not lend at the same time: so the memory is held by pointer while the mapping is
//! looked up.

mod lift;

pub(crate) use lift::{ByteList, GuestPath, RangeList};

use crate::bindings::types::ErrorCode;
use crate::diagnostics::Call;
use crate::error::Error;
use crate::linker::{Getter, Handle};
use crate::mapping::Range;
use crate::mapping::transfer::Reading;
use lift::{RANGE_BYTES, pairs, range_at};
use std::any::Any;
use std::fmt::Debug;
use std::mem::MaybeUninit;
use std::result::Result as StdResult;
use wasmtime::component::__internal::{
    CanonicalAbiInfo, ComponentVariant, InstanceType, InterfaceType, LowerContext,
};
use wasmtime::component::{ComponentType, Lower};
use wasmtime::{Result, StoreContextMut, bail};

/// What the guest is told: the type whose description the replies below borrow.
type Bytes = StdResult<Vec<u8>, ErrorCode>;

/// A guest's mapping, and how it is found in the data of a store of this kind.
struct Source<T: 'static> {
    get: Getter<T>,
    rep: u32,
}

impl<T> Source<T> {
    /// Has `call` copy from the mapping to the guest's memory.
    #[inline]
    fn read<S: 'static>(
        &self,
        cx: &mut LowerContext<'_, S>,
        call: impl FnOnce(&mut Reading<'_>, &mut [u8]) -> StdResult<(), Error>,
    ) -> Result<StdResult<(), Error>> {
        let memory: *mut [u8] = cx.as_slice_mut();
        // The store that a reply is lowered into is the one whose call made it.
        let data: &mut dyn Any = cx.store.data_mut();
        let Some(data) = data.downcast_mut() else { bail!("a reply to another kind of store") };
        let transfer = (self.get)(data).transfer(&Handle::new_borrow(self.rep))?;
        // SAFETY: the memory was lent by `cx`, and `cx` is borrowed for as long as it is used.
        // Since it was lent, `get` and the table were run: they have the store's data and not the
        // store, so they can't reach the guest's memory, which is no part of that data. Nor does
        // `call` reach it in another way: it has the mapping and this.
        let memory = unsafe { &mut *memory };
        Ok(transfer.read(|reading| call(reading, memory)))
    }

    /// Says in the log that a call was refused.
    #[cold]
    fn refused<S: 'static>(
        &self,
        cx: &mut LowerContext<'_, S>,
        name: &'static str,
        arguments: &dyn Debug,
        error: &Error,
    ) -> Result<()> {
        let data: &mut dyn Any = cx.store.data_mut();
        let Some(data) = data.downcast_mut() else { bail!("a reply to another kind of store") };
        let view = (self.get)(data);
        let mapping = view.mapping(&Handle::new_borrow(self.rep))?;
        Call::on(mapping, name, arguments).refused(error, None);
        Ok(())
    }
}

/// Writes a guest's bytes to its mapping (`pwrite`).
pub(crate) fn write<T: 'static>(
    store: &mut StoreContextMut<'_, T>,
    get: Getter<T>,
    this: &Handle,
    offset: u64,
    data: &ByteList,
) -> Result<StdResult<(), Error>> {
    let bytes: Option<*const [u8]> = data.bytes(store).map(std::ptr::from_ref);
    let transfer = get(store.data_mut()).transfer(this)?;
    // SAFETY: as in `Source::read`, with `store` in place of `cx`.
    let bytes = bytes.map(|bytes| unsafe { &*bytes });
    Ok(transfer.write(|writing| match bytes {
        Some(bytes) => writing.write_checked(offset, bytes),
        None => writing.check(offset, data.len() as u64).and(Err(Error::LimitExceeded)),
    }))
}

/// Writes pieces of a guest's bytes to ranges of its mapping (`pwrite-many`).
pub(crate) fn write_many<T: 'static>(
    store: &mut StoreContextMut<'_, T>,
    get: Getter<T>,
    this: &Handle,
    ranges: &RangeList,
    data: &ByteList,
) -> Result<StdResult<(), Error>> {
    let ranges: Option<*const [u64]> = ranges.words(store).map(std::ptr::from_ref);
    let bytes: Option<*const [u8]> = data.bytes(store).map(std::ptr::from_ref);
    let transfer = get(store.data_mut()).transfer(this)?;
    // SAFETY: as in `Source::read`, with `store` in place of `cx`.
    let lists = ranges.zip(bytes).map(|(ranges, bytes)| unsafe { (&*ranges, &*bytes) });
    Ok(transfer.write(|writing| match lists {
        Some((ranges, bytes)) => writing.write_many(pairs(ranges), bytes),
        None => Err(Error::LimitExceeded),
    }))
}

/// The reply to `pread`, copied straight into the guest when wasmtime lowers it.
pub(crate) struct ReadReply<T: 'static> {
    source: Source<T>,
    offset: u64,
    wanted: u64,
    /// How many bytes there will be, if the call is allowed at all.
    length: StdResult<u64, Error>,
}

impl<T> ReadReply<T> {
    /// Checks the range, which also sends for its bytes: they arrive while the guest is asked
    /// for memory.
    pub(crate) fn new(
        store: &mut StoreContextMut<'_, T>,
        get: Getter<T>,
        this: &Handle,
        offset: u64,
        length: u64,
    ) -> Result<ReadReply<T>> {
        let allowed = get(store.data_mut()).mapping(this)?.may_read(offset, length);
        let source = Source { get, rep: this.rep() };
        Ok(ReadReply { source, offset, wanted: length, length: allowed.map(|()| length) })
    }

    #[inline]
    fn fill<S: 'static>(
        &self,
        cx: &mut LowerContext<'_, S>,
        place: Place,
    ) -> Result<StdResult<(), Error>> {
        self.source.read(cx, |reading, memory| {
            reading.read(self.offset, piece(memory, place.list())?)?;
            place.put(memory)
        })
    }
}

/// The reply to `pread-many`, likewise.
pub(crate) struct ReadManyReply<T: 'static> {
    source: Source<T>,
    ranges: RangeList,
    length: StdResult<u64, Error>,
}

impl<T> ReadManyReply<T> {
    /// Checks every range, and sends for its bytes.
    pub(crate) fn new(
        store: &mut StoreContextMut<'_, T>,
        get: Getter<T>,
        this: &Handle,
        ranges: RangeList,
    ) -> Result<ReadManyReply<T>> {
        let words: Option<*const [u64]> = ranges.words(store).map(std::ptr::from_ref);
        let view = get(store.data_mut());
        let mapping = view.mapping(this)?;
        // SAFETY: as in `Source::read`, with `store` in place of `cx`.
        let length = match words.map(|words| unsafe { &*words }) {
            Some(words) => mapping.may_read_many(pairs(words)),
            None => mapping.may_read(0, 0).and(Err(Error::LimitExceeded)),
        };
        Ok(ReadManyReply { source: Source { get, rep: this.rep() }, ranges, length })
    }

    /// Copies every range. The list stands in the guest's memory, which `realloc` and the copies
    /// themselves may write to: each range is read out and checked when it is used.
    fn fill<S: 'static>(
        &self,
        cx: &mut LowerContext<'_, S>,
        place: Place,
    ) -> Result<StdResult<(), Error>> {
        self.source.read(cx, |reading, memory| {
            let std::ops::Range { start: mut next, end } = place.list();
            let list = self.ranges.start()..self.ranges.start() + self.ranges.len() * RANGE_BYTES;
            for at in list.step_by(RANGE_BYTES) {
                let range = range_at(memory, at).ok_or(Error::BadArg)?;
                if range.length > (end - next) as u64 {
                    return Err(Error::BadArg);
                }
                let target = next..next + range.length as usize;
                next = target.end;
                reading.read(range.offset, piece(memory, target)?)?;
            }
            if next == end { place.put(memory) } else { Err(Error::BadArg) }
        })
    }
}

/// Lowers a reply: memory from the guest, the copy, and at last the discriminant.
///
/// `length` is how many bytes there will be, if the call is allowed at all. `refused` says in the
/// log that it was not. `fill` copies them to the range of the guest's memory that it is given,
/// and calls [`Place::put`] there.
fn reply<T>(
    cx: &mut LowerContext<'_, T>,
    ty: InterfaceType,
    offset: usize,
    length: &StdResult<u64, Error>,
    refused: impl FnOnce(&mut LowerContext<'_, T>, &Error) -> Result<()>,
    fill: impl FnOnce(&mut LowerContext<'_, T>, Place) -> Result<StdResult<(), Error>>,
) -> Result<()> {
    // A list's length is 32 bits wide. The limit on a call is far below, unless it was raised.
    let length = match length {
        Ok(length) => u32::try_from(*length).map_err(|_| Error::LimitExceeded),
        Err(error) => Err(error.clone()),
    };
    let length = match length {
        Ok(length) => length,
        Err(error) => {
            refused(cx, &error)?;
            return Bytes::Err(error.into()).linear_lower_to_memory(cx, ty, offset);
        }
    };
    // wasmtime has checked that what comes back lies in the guest's memory.
    let start = cx.realloc(0, 0, 1, length as usize)?;
    match fill(cx, Place { offset, start, length })? {
        Ok(()) => Ok(()),
        Err(error) => {
            refused(cx, &error)?;
            // The guest never learns where this memory is, and can't free it. The canonical ABI
            // could only make it small, by a second `realloc`; that of componentize-py traps on
            // anything but a first one, and a trap is worse than a buffer lost.
            Bytes::Err(error.into()).linear_lower_to_memory(cx, ty, offset)
        }
    }
}

/// Where in the guest's memory a reply goes: the result itself, and its list.
#[derive(Clone, Copy)]
struct Place {
    offset: usize,
    start: usize,
    length: u32,
}

impl Place {
    fn list(self) -> std::ops::Range<usize> {
        self.start..self.start + self.length as usize
    }

    /// Writes the result, now that the list is whole.
    fn put(self, memory: &mut [u8]) -> StdResult<(), Error> {
        // Never out of range either, as `piece` says.
        let result = piece(memory, self.offset..self.offset + RESULT_BYTES)?;
        let payload = <Bytes as ComponentVariant>::PAYLOAD_OFFSET32;
        result[payload..payload + 4].copy_from_slice(&(self.start as u32).to_le_bytes());
        result[payload + 4..payload + 8].copy_from_slice(&self.length.to_le_bytes());
        result[0] = 0;
        Ok(())
    }
}

fn piece(memory: &mut [u8], range: std::ops::Range<usize>) -> StdResult<&mut [u8], Error> {
    // Never out of range: wasmtime checked it, and a guest's memory does not shrink.
    memory.get_mut(range).ok_or(Error::BadArg)
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
    let range = Range { offset: self.offset, length: self.wanted };
    reply(
        cx,
        ty,
        offset,
        &self.length,
        |cx, error| self.source.refused(cx, "pread", &range, error),
        |cx, place| self.fill(cx, place),
    )
});

lower_as_bytes!(ReadManyReply, |self, cx, ty, offset| {
    let ranges = ("ranges", self.ranges.len());
    reply(
        cx,
        ty,
        offset,
        &self.length,
        |cx, error| self.source.refused(cx, "pread-many", &ranges, error),
        |cx, place| self.fill(cx, place),
    )
});

/// A `result<list<u8>, error-code>` in a guest's memory.
const RESULT_BYTES: usize = <Bytes as ComponentType>::SIZE32;

// The layouts that this file takes for granted.
const _: () = {
    assert!(<Bytes as ComponentVariant>::PAYLOAD_OFFSET32 + 8 <= RESULT_BYTES);
};
