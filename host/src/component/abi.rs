//! The copy paths across the boundary: one copy between a page and the guest's memory.
//!
//! The only module that touches wasmtime's doc-hidden lift and lower traits, which is why the
//! workspace takes patches of one wasmtime release only. What it does with them:
//!
//! - [`ReadReply`], by `lower`, lowers the whole `result<list<u8>, error-code>` of `pread`: it asks the
//!   guest's `realloc` for the list's memory, copies from the page into it, and writes the
//!   discriminant last, so that a page that is gone is an error and not a list of zeros.
//! - [`ReadManyReply`] does the same for `pread-many`, with one `realloc` for all ranges.
//! - `lift` leaves the lists and paths that a guest passes where they are.
//! - `region` lifts the place that a guest names for a window, with the memory that it lies in.
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
mod lower;
#[cfg(feature = "windows")]
mod region;

pub(super) use lift::{ByteList, GuestPath, HandleList, RangeList};
#[cfg(feature = "windows")]
pub(super) use region::{GuestMemory, GuestRegion, has_room};

use super::access::Access;
use super::bindings::types::ErrorCode;
use super::log::Call;
use super::{Answer, Handle};
use crate::error::{Error, ErrorKind};
use crate::mapping::{Mapped, Range};
use lift::{RANGE_BYTES, pairs, range_at};
use lower::{Place, piece};
use std::any::Any;
use std::fmt::Debug;
use std::result::Result as StdResult;
use wasmtime::component::__internal::LowerContext;
use wasmtime::{Result, StoreContextMut, bail};

/// What the guest is told: the type whose description the replies below borrow.
type Bytes = StdResult<Vec<u8>, ErrorCode>;

/// A call that reads, and how its mapping is found in the data of a store of this kind.
struct Source<T: 'static> {
    call: Call,
    get: Access<T>,
    rep: u32,
}

impl<T> Source<T> {
    fn new(name: &'static str, get: Access<T>, this: &Handle) -> Source<T> {
        Source { call: Call::new(name), get, rep: this.rep() }
    }

    /// Has `read` copy from the mapping to the guest's memory, and say how many bytes.
    #[inline]
    fn read<S: 'static>(
        &self,
        cx: &mut LowerContext<'_, S>,
        read: impl FnOnce(&Mapped, &mut [u8]) -> StdResult<u64, Error>,
    ) -> Result<StdResult<(), Error>> {
        let memory: *mut [u8] = cx.as_slice_mut();
        // The store that a reply is lowered into is the one whose call made it.
        let data: &mut dyn Any = cx.store.data_mut();
        let Some(data) = data.downcast_mut() else { bail!("a reply to another kind of store") };
        self.get.view(data).read(&Handle::new_borrow(self.rep), |mapped| {
            // SAFETY: the memory was lent by `cx`, and `cx` is borrowed for as long as it is used.
            // Since it was lent, `get` and the table were run: they have the store's data and not
            // the store, so they can't reach the guest's memory, which is no part of that data.
            // Nor does `read` reach it in another way: it has the mapping and this.
            read(mapped, unsafe { &mut *memory })
        })
    }

    /// Tells the log how the call ended; what a guest is told of an error.
    fn answer<S: 'static>(
        &self,
        cx: &mut LowerContext<'_, S>,
        arguments: &dyn Debug,
        result: StdResult<(), Error>,
    ) -> Result<StdResult<(), ErrorCode>> {
        let data: &mut dyn Any = cx.store.data_mut();
        let Some(data) = data.downcast_mut() else { bail!("a reply to another kind of store") };
        let view = self.get.view(data);
        let mapped = view.mapped(&Handle::new_borrow(self.rep))?;
        Ok(self.call.on(mapped, arguments, result).0)
    }
}

/// Writes a guest's bytes to its mapping (`pwrite`).
pub(super) fn write<T: 'static>(
    store: &mut StoreContextMut<'_, T>,
    get: Access<T>,
    this: &Handle,
    offset: u64,
    data: &ByteList,
) -> Result<Answer<()>> {
    let call = Call::new("pwrite");
    let range = Range { offset, length: data.len() as u64 };
    let bytes: Option<*const [u8]> = data.bytes(store).map(std::ptr::from_ref);
    let result = get.view(store.data_mut()).write(this, |mapped| match bytes {
        // SAFETY: as in `Source::read`, with `store` in place of `cx`.
        Some(bytes) => mapped.write(offset, unsafe { &*bytes }).map(|()| range.length),
        None => mapped.check_write(offset, range.length).and(Err(too_long())),
    })?;
    match result {
        Ok(()) if !call.is_told() => Ok((Ok(()),)),
        result => Ok(call.on(get.view(store.data_mut()).mapped(this)?, &range, result)),
    }
}

/// Writes pieces of a guest's bytes to ranges of its mapping (`pwrite-many`).
pub(super) fn write_many<T: 'static>(
    store: &mut StoreContextMut<'_, T>,
    get: Access<T>,
    this: &Handle,
    ranges: &RangeList,
    data: &ByteList,
) -> Result<Answer<()>> {
    let call = Call::new("pwrite-many");
    let words: Option<*const [u64]> = ranges.words(store).map(std::ptr::from_ref);
    let bytes: Option<*const [u8]> = data.bytes(store).map(std::ptr::from_ref);
    let result = get.view(store.data_mut()).write(this, |mapped| match words.zip(bytes) {
        Some((words, bytes)) => {
            // SAFETY: as in `Source::read`, with `store` in place of `cx`.
            let (words, bytes) = unsafe { (&*words, &*bytes) };
            mapped.write_many(pairs(words), bytes).map(|()| bytes.len() as u64)
        }
        None => mapped.check_write(0, 0).and(Err(too_long())),
    })?;
    let arguments = ("ranges", ranges.len());
    Ok(call.on(get.view(store.data_mut()).mapped(this)?, &arguments, result))
}

/// A list is longer than a call may lift.
#[cold]
fn too_long() -> Error {
    let reason = "more than wasmtime lifts for one call (Store::set_hostcall_fuel)";
    Error::because(ErrorKind::LimitExceeded, reason)
}

/// The reply to `pread`, copied straight into the guest when wasmtime lowers it.
pub(super) struct ReadReply<T: 'static> {
    source: Source<T>,
    range: Range,
    /// How many bytes there will be, if the call is allowed at all.
    length: StdResult<u64, Error>,
    /// Does the file have to reach to the end of the range?
    strict: bool,
}

impl<T> ReadReply<T> {
    /// Checks the range, which also sends for its bytes: they arrive while the guest is asked
    /// for memory.
    pub(super) fn new(
        store: &mut StoreContextMut<'_, T>,
        get: Access<T>,
        this: &Handle,
        offset: u64,
        length: u64,
    ) -> Result<ReadReply<T>> {
        let source = Source::new("pread", get, this);
        let allowed = get.view(store.data_mut()).mapped(this)?.check_read(offset, length);
        let range = Range { offset, length };
        Ok(ReadReply { source, range, length: allowed.map(|()| length), strict: false })
    }

    /// Of what there is of a range (`read-up-to`).
    pub(super) fn up_to(
        store: &mut StoreContextMut<'_, T>,
        get: Access<T>,
        this: &Handle,
        wanted: Range,
    ) -> Result<ReadReply<T>> {
        let source = Source::new("read-up-to", get, this);
        let allowed = get.view(store.data_mut()).mapped(this)?.up_to(wanted);
        let range = allowed.as_ref().map_or(wanted, |range| *range);
        Ok(ReadReply { source, range, length: allowed.map(|range| range.length), strict: false })
    }

    /// Of a range that the file has to have (`read-strict`).
    pub(super) fn strict(
        store: &mut StoreContextMut<'_, T>,
        get: Access<T>,
        this: &Handle,
        range: Range,
    ) -> Result<ReadReply<T>> {
        let source = Source::new("read-strict", get, this);
        let allowed = get.view(store.data_mut()).mapped(this)?.check_strict(range);
        Ok(ReadReply { source, range, length: allowed.map(|()| range.length), strict: true })
    }

    #[inline]
    fn fill<S: 'static>(
        &self,
        cx: &mut LowerContext<'_, S>,
        place: Place,
    ) -> Result<StdResult<(), Error>> {
        self.source.read(cx, |mapped, memory| {
            mapped.read(self.range.offset, piece(memory, place.list())?)?;
            if self.strict {
                mapped.check_reached(self.range)?;
            }
            place.put(memory)
        })
    }
}

/// The reply to `pread-many`, likewise.
pub(super) struct ReadManyReply<T: 'static> {
    source: Source<T>,
    ranges: RangeList,
    length: StdResult<u64, Error>,
}

impl<T> ReadManyReply<T> {
    /// Checks every range, and sends for its bytes.
    pub(super) fn new(
        store: &mut StoreContextMut<'_, T>,
        get: Access<T>,
        this: &Handle,
        ranges: RangeList,
    ) -> Result<ReadManyReply<T>> {
        let source = Source::new("pread-many", get, this);
        let words: Option<*const [u64]> = ranges.words(store).map(std::ptr::from_ref);
        let view = get.view(store.data_mut());
        let mapped = view.mapped(this)?;
        // SAFETY: as in `Source::read`, with `store` in place of `cx`.
        let length = match words.map(|words| unsafe { &*words }) {
            Some(words) => mapped.check_read_many(pairs(words)),
            None => mapped.check_read(0, 0).and(Err(too_long())),
        };
        Ok(ReadManyReply { source, ranges, length })
    }

    /// Copies every range. The list stands in the guest's memory, which `realloc` and the copies
    /// themselves may write to: each range is read out and checked when it is used.
    fn fill<S: 'static>(
        &self,
        cx: &mut LowerContext<'_, S>,
        place: Place,
    ) -> Result<StdResult<(), Error>> {
        self.source.read(cx, |mapped, memory| {
            let std::ops::Range { start: mut next, end } = place.list();
            let list = self.ranges.start()..self.ranges.start() + self.ranges.len() * RANGE_BYTES;
            for at in list.step_by(RANGE_BYTES) {
                let range = range_at(memory, at).ok_or_else(changed)?;
                if range.length > (end - next) as u64 {
                    return Err(changed());
                }
                let target = next..next + range.length as usize;
                next = target.end;
                mapped.read(range.offset, piece(memory, target)?)?;
            }
            if next == end { place.put(memory) } else { Err(changed()) }
        })
    }
}

/// What a call was given is not what it was.
#[cold]
fn changed() -> Error {
    Error::because(ErrorKind::Badarg, "the guest's realloc changed the list of ranges")
}
