//! Which place a window's address belongs to: a tree of 64 ways at each node, told apart by six
//! bits of the address, the highest first.
//!
//! A window covers whole units. Where it covers all that lies below a node's way, the way itself
//! names the place, so a window of any length is a few hundred ways at most, and an address is
//! found by one walk down, whatever there is.
//!
//! Nodes are made when they are needed and never freed, because a handler may be reading one. So
//! the tree is as large as the part of the address space where windows ever began or ended: a KiB for
//! 256 KiB of it, and a 64th of that for each level above, which is a 252nd in all. A process that maps
//! and unmaps gets the same addresses again, and makes no node for them a second time. What a guest
//! can make of it is a 252nd of the memory that it may have, and the next guest in that place uses it.

use std::ops::Range;
use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};

use super::place::Place;

/// The smallest page of any processor that has a handler. Not wasm's page: a memory begins where the
/// kernel has put it, on a page of the system's.
const UNIT: usize = 4096;

const BITS: u32 = 6;
const WAYS: usize = 1 << BITS;

/// So many levels are addresses of 54 bits. A process has 47 or 48, and more only where it asks the
/// kernel for an address up there.
const LEVELS: u32 = 7;

#[derive(Debug)]
struct Node {
    /// The windows that cover all below a way.
    places: [AtomicPtr<Place>; WAYS],
    below: [AtomicPtr<Node>; WAYS],
}

impl Node {
    const fn new() -> Self {
        Self {
            places: [const { AtomicPtr::new(ptr::null_mut()) }; WAYS],
            below: [const { AtomicPtr::new(ptr::null_mut()) }; WAYS],
        }
    }

    /// The node below a way, if there is one.
    fn below(&self, way: usize) -> Option<&'static Node> {
        // SAFETY: null, or a node that was published whole and is never freed.
        unsafe { self.below[way].load(Ordering::Acquire).as_ref() }
    }
}

static ROOT: Node = Node::new();

/// Units below each way of a node, by its level: 0 is the lowest.
const fn span(level: u32) -> usize {
    1 << (BITS * level)
}

const fn way(unit: usize, level: u32) -> usize {
    (unit >> (BITS * level)) % WAYS
}

/// The place whose window an address lies in, or lay in a moment ago. For the handler.
pub(super) fn find(address: usize) -> Option<&'static Place> {
    let unit = address / UNIT;
    if unit >= span(LEVELS) {
        return None;
    }
    let mut node = &ROOT;
    for level in (0..LEVELS).rev() {
        let way = way(unit, level);
        let place = node.places[way].load(Ordering::Acquire);
        // SAFETY: null, or a place, which are never freed.
        if let Some(place) = unsafe { place.as_ref() } {
            return Some(place);
        }
        if level == 0 {
            return None;
        }
        node = node.below(way)?;
    }
    None
}

/// Whether the tree has room for a range: an address behind it isn't one.
pub(super) fn holds(range: &Range<usize>) -> bool {
    range.end / UNIT <= span(LEVELS)
}

/// Names `place` at each way that the range covers. With the table locked, and nothing else in the
/// range.
pub(super) fn put(range: &Range<usize>, place: &'static Place) {
    let place = ptr::from_ref(place).cast_mut();
    each_way(range, |way| way.store(place, Ordering::Release));
}

/// Takes away what [`put`] did. With the table locked.
pub(super) fn take(range: &Range<usize>) {
    each_way(range, |way| way.store(ptr::null_mut(), Ordering::Release));
}

/// Goes through the ways that a range covers, as high up as may be.
fn each_way(range: &Range<usize>, mut change: impl FnMut(&AtomicPtr<Place>)) {
    let end = range.end / UNIT;
    let mut unit = range.start / UNIT;
    while unit < end {
        let whole = |level: &u32| unit.is_multiple_of(span(*level)) && unit + span(*level) <= end;
        // The lowest is always whole.
        let level = (0..LEVELS).rev().find(whole).unwrap_or(0);
        change(&node_at(unit, level).places[way(unit, level)]);
        unit += span(level);
    }
}

/// The node on a level; makes what isn't there. With the table locked.
fn node_at(unit: usize, level: u32) -> &'static Node {
    let mut node = &ROOT;
    for above in (level + 1..LEVELS).rev() {
        let way = way(unit, above);
        node = node.below(way).unwrap_or_else(|| {
            let new: &'static Node = Box::leak(Box::new(Node::new()));
            #[cfg(test)]
            tests::MADE.with(|made| made.set(made.get() + 1));
            node.below[way].store(ptr::from_ref(new).cast_mut(), Ordering::Release);
            new
        });
    }
    node
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;
    use std::collections::BTreeMap;

    thread_local! {
        /// How many nodes this thread has made.
        pub(super) static MADE: Cell<usize> = const { Cell::new(0) };
    }

    /// Where the tests' ranges lie: far from any mapping, and each test by itself.
    const FIRST: usize = 1 << 50;
    const SECOND: usize = 1 << 51;
    const THIRD: usize = 3 << 50;

    fn place() -> &'static Place {
        Box::leak(Box::default())
    }

    fn is(found: Option<&Place>, expected: Option<&Place>) -> bool {
        found.map(ptr::from_ref) == expected.map(ptr::from_ref)
    }

    #[test]
    fn addresses_are_found_to_the_byte_at_each_length() {
        let place = place();
        for units in [1, 2, 63, 64, 65, 127, 4095, 4096, 4097, 65_536, 262_145] {
            for first in [0, 1, 63, 64, 4095, 4096] {
                let start = FIRST + first * UNIT;
                let range = start..start + units * UNIT;
                put(&range, place);
                for address in [range.start, range.start + range.len() / 2, range.end - 1] {
                    assert!(is(find(address), Some(place)), "{units} from {first}");
                }
                assert!(find(range.start - 1).is_none() && find(range.end).is_none());
                take(&range);
                assert!(find(range.start).is_none() && find(range.end - 1).is_none());
            }
        }
    }

    #[test]
    fn what_is_found_is_what_a_sorted_map_says() {
        let mut seeded = fastrand::Rng::with_seed(1);
        let mut random = move |below: usize| seeded.usize(..below);
        let mut there = BTreeMap::<usize, (usize, &'static Place)>::new();
        for _ in 0..20_000 {
            let start = SECOND + random(20_000) * UNIT;
            let longest = [2, 70, 5000][random(3)];
            let end = start + (1 + random(longest)) * UNIT;
            let overlapping: Vec<_> = there
                .range(..end)
                .rev()
                .take_while(|(_, (other, _))| *other > start)
                .map(|(at, (other, _))| *at..*other)
                .collect();
            for range in overlapping {
                take(&range);
                there.remove(&range.start);
            }
            if random(4) > 0 {
                let place = place();
                put(&(start..end), place);
                there.insert(start, (end, place));
            }
            for address in [start, end - 1, end, SECOND + random(26_000 * UNIT)] {
                let expected = there.range(..=address).next_back();
                let expected = expected.filter(|(_, (end, _))| address < *end);
                assert!(is(find(address), expected.map(|(_, (_, place))| *place)), "{address:#x}");
            }
        }
    }

    #[test]
    fn the_tree_is_a_252nd_of_the_addresses_however_often_they_are_used() {
        const MEMORY: usize = 64 << 20;
        let place = place();
        let mut made = Vec::new();
        for longest in [1, 100, 5000] {
            for first in (0..MEMORY / UNIT).step_by(16) {
                let start = THIRD + first * UNIT;
                let range = start..(start + longest * UNIT).min(THIRD + MEMORY);
                put(&range, place);
                take(&range);
            }
            made.push(MADE.get());
        }
        // And the way down from the root, once.
        let most = MEMORY / 252 / size_of::<Node>() + LEVELS as usize;
        assert!(made[0] > 0 && made[0] <= most, "{made:?}, and {most}");
        assert_eq!(made, [made[0]; 3]);
    }

    #[test]
    fn addresses_that_no_process_has_are_not_found() {
        assert!(find(usize::MAX).is_none() && find(0).is_none());
        assert!(holds(&(0..1 << 54)) && !holds(&(0..1 << 55)));
    }
}
