//! What a guest passes by pointer, left where it is: bytes, lists of ranges, paths.
//!
//! wasmtime has an allowance for what one call may lift (`Store::set_hostcall_fuel`, 128 MiB), and
//! traps beyond it. To a guest of ours too much is an error and no trap, and a path is never so
//! long. So what lies in the guest's memory and is too much is kept as its length alone.

use crate::component::Handle;
use crate::component::bindings::batch;
use crate::mapping::{MOST_TOGETHER, Range};
use std::borrow::Cow;
use wasmtime::component::__internal::{CanonicalAbiInfo, InstanceType, InterfaceType, LiftContext};
use wasmtime::component::{ComponentType, Lift, WasmList, WasmStr};
use wasmtime::{Result, StoreContextMut, ValRaw, bail};

/// No system that we run on takes a longer path, in bytes with its NUL (`PATH_MAX`): it is
/// refused before anything is done with it.
const LONGEST_PATH: usize = 4096;

/// In the length of a string: its units are of 16 bits (`latin1+utf16` alone).
const UTF16_TAG: u32 = 1 << 31;

/// One `range` record in a guest's memory: two little-endian 64-bit words.
pub(super) const RANGE_BYTES: usize = 16;

/// A guest's `list<u8>`.
pub(crate) struct ByteList {
    /// None: more than a call may lift.
    bytes: Option<WasmList<u8>>,
    length: usize,
}

impl ByteList {
    /// How many bytes there are.
    pub(crate) fn len(&self) -> usize {
        self.length
    }

    /// The bytes, unless they are more than a call may lift.
    pub(super) fn bytes<'a, T: 'static>(
        &self,
        store: &'a StoreContextMut<'_, T>,
    ) -> Option<&'a [u8]> {
        Some(self.bytes.as_ref()?.as_le_slice(store))
    }
}

/// A guest's `list<range>`: its words, two a range.
pub(crate) struct RangeList {
    /// None: more than a call may lift.
    words: Option<WasmList<u64>>,
    /// Where in the guest's memory it lies. The guest may say anything of an empty one, which is
    /// never looked at.
    start: usize,
    count: usize,
}

impl RangeList {
    /// How many ranges there are.
    pub(crate) fn len(&self) -> usize {
        self.count
    }

    /// The ranges, copied: no more of them than a call of these limits takes, and none of a list
    /// that is too long.
    #[cfg(feature = "async")]
    pub(crate) fn copied<T: 'static>(
        &self,
        store: &StoreContextMut<'_, T>,
        longest: u64,
    ) -> Vec<Range> {
        let words = self.words(store).filter(|words| words.len() as u64 / 2 <= longest);
        words.map(|words| pairs(words).collect()).unwrap_or_default()
    }

    pub(super) fn start(&self) -> usize {
        self.start
    }

    /// The words, unless they are more than a call may lift.
    pub(super) fn words<'a, T: 'static>(
        &self,
        store: &'a StoreContextMut<'_, T>,
    ) -> Option<&'a [u64]> {
        Some(self.words.as_ref()?.as_le_slice(store))
    }
}

pub(super) fn pairs(words: &[u64]) -> impl ExactSizeIterator<Item = Range> + Clone + use<'_> {
    words
        .chunks_exact(2)
        .map(|pair| Range { offset: u64::from_le(pair[0]), length: u64::from_le(pair[1]) })
}

pub(super) fn range_at(memory: &[u8], at: usize) -> Option<Range> {
    let record: &[u8; RANGE_BYTES] = memory.get(at..at + RANGE_BYTES)?.try_into().ok()?;
    let (offset, rest) = record.split_first_chunk()?;
    let length = rest.first_chunk()?;
    Some(Range { offset: u64::from_le_bytes(*offset), length: u64::from_le_bytes(*length) })
}

/// A guest's `list<borrow<mapping>>`: the first of them, and no more than a call may be of.
pub(crate) struct HandleList {
    handles: Vec<Handle>,
    count: usize,
}

impl HandleList {
    /// The handles, of which there may be more.
    pub(crate) fn handles(&self) -> &[Handle] {
        &self.handles
    }

    /// How many the guest has passed.
    pub(crate) fn count(&self) -> usize {
        self.count
    }
}

/// A guest's path, not looked at yet.
pub(crate) struct GuestPath {
    /// None: too long to be a path.
    text: Option<WasmStr>,
    units: usize,
}

impl GuestPath {
    /// The path; or how long it is, in units of its encoding, if it is too long to be one.
    pub(crate) fn text<'a, T: 'static>(
        &self,
        store: &'a StoreContextMut<'_, T>,
    ) -> Result<std::result::Result<Cow<'a, str>, usize>> {
        let Some(text) = &self.text else { return Ok(Err(self.units)) };
        let text = text.to_str(store)?;
        Ok(if text.len() < LONGEST_PATH { Ok(text) } else { Err(text.len()) })
    }
}

/// Does it lie in the guest's memory, in its place for things of this alignment?
fn lies_inside(cx: &LiftContext<'_>, start: u32, bytes: u64, align: u32) -> bool {
    let inside = u64::from(start).checked_add(bytes).is_some_and(|n| n <= cx.memory().len() as u64);
    inside && start.is_multiple_of(align)
}

/// Says that a type is to wasmtime what another is, and lifts it by a function of its own from
/// where it starts and how long it is said to be.
macro_rules! lift_as {
    ($lifted:ty, $same:ty, |$cx:ident, $ty:ident, $start:ident, $length:ident| $lift:expr) => {
        // SAFETY: everything that describes the type is that of another with the same form.
        unsafe impl ComponentType for $lifted {
            type Lower = <$same as ComponentType>::Lower;
            const ABI: CanonicalAbiInfo = <$same as ComponentType>::ABI;

            fn typecheck(ty: &InterfaceType, types: &InstanceType<'_>) -> Result<()> {
                <$same as ComponentType>::typecheck(ty, types)
            }
        }

        // SAFETY: what is kept of the guest's memory is kept by wasmtime's own types, which check
        // that it lies there.
        unsafe impl Lift for $lifted {
            #[inline]
            fn linear_lift_from_flat(
                $cx: &mut LiftContext<'_>,
                $ty: InterfaceType,
                src: &Self::Lower,
            ) -> Result<$lifted> {
                let [$start, $length] = [src[0].get_u32(), src[1].get_u32()];
                $lift
            }

            fn linear_lift_from_memory(
                cx: &mut LiftContext<'_>,
                ty: InterfaceType,
                bytes: &[u8],
            ) -> Result<$lifted> {
                let &[a, b, c, d, e, f, g, h] = bytes else { bail!("a list is 8 bytes") };
                let pair = [[a, b, c, d], [e, f, g, h]].map(u32::from_le_bytes).map(ValRaw::u32);
                Self::linear_lift_from_flat(cx, ty, &pair)
            }
        }
    };
}

lift_as!(ByteList, [u8], |cx, ty, start, length| {
    let list = [start, length].map(ValRaw::u32);
    let bytes = match WasmList::linear_lift_from_flat(cx, ty, &list) {
        Ok(bytes) => Some(bytes),
        Err(_) if lies_inside(cx, start, length.into(), 1) => None,
        Err(outside) => return Err(outside),
    };
    Ok(ByteList { bytes, length: length as usize })
});

// A `range` is two 64-bit words and aligned as one, so a list of n ranges is a list of 2n words at
// the same place.
lift_as!(RangeList, [batch::Range], |cx, ty, start, count| {
    let Some(words) = count.checked_mul(2) else {
        bail!("list pointer/length out of bounds of memory")
    };
    let list = [start, words].map(ValRaw::u32);
    let words = match WasmList::linear_lift_from_flat(cx, ty, &list) {
        Ok(words) => Some(words),
        Err(_) if lies_inside(cx, start, u64::from(words) * 8, 8) => None,
        Err(outside) => return Err(outside),
    };
    Ok(RangeList { words, start: start as usize, count: count as usize })
});

// A handle is a word of 32 bits. What is too much is left where it is, and lent to nobody.
lift_as!(HandleList, [Handle], |cx, ty, start, count| {
    let length = u64::from(count);
    if !lies_inside(cx, start, length * 4, 4) && length > 0 {
        bail!("list pointer/length out of bounds of memory");
    }
    let list = [start, count.min(MOST_TOGETHER as u32)].map(ValRaw::u32);
    let handles = Vec::linear_lift_from_flat(cx, ty, &list)?;
    Ok(HandleList { handles, count: count as usize })
});

lift_as!(GuestPath, str, |cx, ty, start, length| {
    let units = (length & !UTF16_TAG) as usize;
    let text = match WasmStr::linear_lift_from_flat(cx, ty, &[start, length].map(ValRaw::u32)) {
        // A unit is a byte at least, in whatever encoding: nothing is allocated for what it says.
        Ok(text) => (units < LONGEST_PATH).then_some(text),
        Err(_) if units >= LONGEST_PATH && lies_inside(cx, start, units as u64, 1) => None,
        Err(outside) => return Err(outside),
    };
    Ok(GuestPath { text, units })
});

// The layout that a list of words takes for granted.
const _: () = {
    assert!(<batch::Range as ComponentType>::SIZE32 == RANGE_BYTES);
    assert!(<batch::Range as ComponentType>::ALIGN32 == <u64 as ComponentType>::ALIGN32);
};
