//! The tree over the bits of an address, which is the first thing in the file.
//!
//! A node is two records: where to go on a 0 and where on a 1. A record below the number of nodes
//! is another node, the number of nodes itself is nothing, and anything above is in the data.

use crate::{Error, Metadata, Source};

/// What is read at a time. A tree is usually written in depth first, so that the nodes down to a
/// leaf lie side by side.
pub(crate) const WINDOW: usize = 128;

/// The bits of an address, the first one first.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bits {
    // Two halves: on wasm, shifting 128 bits is a call.
    high: u64,
    low: u64,
}

impl Bits {
    /// The leading bits of a number.
    pub(crate) fn new(number: u128) -> Bits {
        Bits { high: (number >> 64) as u64, low: number as u64 }
    }

    fn next(&mut self) -> u64 {
        let bit = self.high >> 63;
        self.high = self.high << 1 | self.low >> 63;
        self.low <<= 1;
        bit
    }
}

/// A walk from a root towards a leaf.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Walk {
    bits: Bits,
    /// The node to look at next, or where it ended.
    pub(crate) record: u32,
    /// How many bits led there.
    pub(crate) depth: u8,
    /// How many bits there are.
    length: u8,
}

impl Walk {
    /// Counts bits that led on, at least one and no more than 64.
    fn advance(&mut self, count: u8) {
        let Bits { high, low } = self.bits;
        self.bits = match count {
            64 => Bits { high: low, low: 0 },
            _ => Bits { high: high << count | low >> (64 - count), low: low << count },
        };
        self.depth += count;
    }
}

/// How the nodes lie in the file.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tree {
    pub(crate) node_count: u32,
    /// In bytes.
    node_length: u8,
    /// How much of the file a window may cover.
    end: u64,
}

impl Tree {
    pub(crate) fn new(metadata: &Metadata, file_length: u64) -> Tree {
        Tree {
            node_count: metadata.node_count,
            node_length: (metadata.record_size / 4) as u8,
            end: file_length,
        }
    }

    /// The node that the IPv4 addresses of a tree of IPv6 addresses begin at, which is 96 zeros
    /// down, and how deep it is; a leaf if there is one on the way.
    pub(crate) fn ipv4_root<S: Source>(&self, source: &S) -> Result<(u32, u8), Error<S::Error>> {
        let mut walk = Walk { bits: Bits::new(0), record: 0, depth: 0, length: 96 };
        self.finish(source, &mut walk)?;
        Ok((walk.record, walk.depth))
    }

    /// Reads on until the walk is over.
    pub(crate) fn finish<S: Source>(
        &self,
        source: &S,
        walk: &mut Walk,
    ) -> Result<(), Error<S::Error>> {
        if source.near() {
            self.finish_near(source, walk);
        }
        let mut window = [0; WINDOW];
        while self.goes_on(walk) {
            let start = self.window(walk.record);
            let window = &mut window[..self.window_length()];
            source.read_at(start, window).map_err(Error::Source)?;
            self.step(walk, start, window);
        }
        Ok(())
    }

    /// The same, node by node, as far as there are eight bytes from each node on.
    fn finish_near<S: Source>(&self, source: &S, walk: &mut Walk) {
        // What a node's length says of its records is settled before the loop, not in it.
        match self.node_length {
            6 => self.descend::<6, _>(source, walk, |[a, b, c, ..], _| number(0, a, b, c)),
            7 => self.descend::<7, _>(source, walk, |[a, b, c, d, ..], bit| match bit {
                // The byte in the middle has the first four bits of either.
                0 => number(d >> 4, a, b, c),
                _ => number(a & 15, b, c, d),
            }),
            8 => self.descend::<8, _>(source, walk, |[a, b, c, d, ..], _| number(a, b, c, d)),
            // No node has another length.
            _ => (),
        }
    }

    /// Goes down by the record of each bit, which `pick` takes out of the eight bytes from there on:
    /// the second record lies half a node behind the first. Only its own bytes are put into order,
    /// which takes wasm several instructions.
    #[inline(always)]
    fn descend<const LENGTH: u64, S: Source>(
        &self,
        source: &S,
        walk: &mut Walk,
        pick: impl Fn([u8; 8], u64) -> u32,
    ) {
        let place = |record: u32, bit: u64| u64::from(record) * LENGTH + bit * (LENGTH / 2);
        while self.goes_on(walk) {
            // What changes from node to node is little enough for registers.
            let (mut record, mut bits) = (walk.record, walk.bits.high);
            let most = (walk.length - walk.depth).min(64);
            let mut left = u32::from(most) - 1;
            let mut bit = bits >> 63;
            let all = source.follow(place(record, bit), |word| {
                record = pick(word, bit);
                if record >= self.node_count || left == 0 {
                    return None;
                }
                left -= 1;
                bits <<= 1;
                bit = bits >> 63;
                Some(place(record, bit))
            });
            if !all {
                break;
            }
            walk.record = record;
            walk.advance(most - left as u8);
        }
    }

    /// Whether the walk is at a node, with bits left.
    pub(crate) fn goes_on(&self, walk: &Walk) -> bool {
        walk.record < self.node_count && walk.depth < walk.length
    }

    /// Goes as far as the nodes in a window lead, which begins at an offset of the file.
    pub(crate) fn step(&self, walk: &mut Walk, start: u64, window: &[u8]) {
        while self.goes_on(walk) {
            let at = self.offset(walk.record).wrapping_sub(start);
            let Some(node) = usize::try_from(at).ok().and_then(|at| window.get(at..)) else {
                return;
            };
            let Some(node) = node.get(..self.node_length.into()) else { return };
            walk.record = self.records(node)[walk.bits.next() as usize];
            walk.depth += 1;
        }
    }

    /// Where the window for a node begins.
    pub(crate) fn window(&self, node: u32) -> u64 {
        self.offset(node).min(self.end - self.window_length() as u64)
    }

    /// How long windows are.
    pub(crate) fn window_length(&self) -> usize {
        self.end.min(WINDOW as u64) as usize
    }

    fn offset(&self, node: u32) -> u64 {
        u64::from(node) * u64::from(self.node_length)
    }

    fn records(&self, node: &[u8]) -> [u32; 2] {
        match *node {
            [a, b, c, d, e, f] => [number(0, a, b, c), number(0, d, e, f)],
            // The byte in the middle has the first four bits of either.
            [a, b, c, m, d, e, f] => [number(m >> 4, a, b, c), number(m & 15, d, e, f)],
            [a, b, c, d, e, f, g, h] => [number(a, b, c, d), number(e, f, g, h)],
            // No node has another length.
            _ => [self.node_count; 2],
        }
    }
}

fn number(a: u8, b: u8, c: u8, d: u8) -> u32 {
    u32::from_be_bytes([a, b, c, d])
}

/// Nodes near a root, kept in memory: most of what a lookup would read.
#[derive(Clone, Debug)]
pub(crate) struct Crown {
    root: u32,
    /// How deep the root is.
    depth: u8,
    /// Breadth first. A link with `KEPT` is the index of a kept node, any other a record.
    kept: Vec<[u32; 2]>,
}

const KEPT: u32 = 1 << 31;

impl Crown {
    /// Keeps at most so many of the nodes below a root that is `depth` bits down.
    pub(crate) fn grow<S: Source>(
        tree: &Tree,
        source: &S,
        (root, depth): (u32, u8),
        most: usize,
    ) -> Result<Crown, Error<S::Error>> {
        let mut crown = Crown { root, depth, kept: Vec::new() };
        // What a kept node's index must be told from.
        let most = if tree.node_count > KEPT / 2 { 0 } else { most.min(1 << 24) };
        if root >= tree.node_count || most == 0 {
            return Ok(crown);
        }
        let length = usize::from(tree.node_length);
        // One level of the tree after the other: the nodes to read, and who links to them.
        let mut level = vec![(root, None::<(usize, usize)>)];
        while !level.is_empty() && crown.kept.len() < most {
            level.truncate(most - crown.kept.len());
            let offsets: Vec<u64> = level.iter().map(|&(node, _)| tree.offset(node)).collect();
            let mut bytes = vec![0; offsets.len() * length];
            source.read_many(&offsets, &mut bytes).map_err(Error::Source)?;
            let mut next = Vec::new();
            for (node, (_, parent)) in bytes.chunks_exact(length).zip(level) {
                let records = tree.records(node);
                if records.iter().any(|&record| record >= KEPT) {
                    // Not a record that any file could have: leave it to be met in the file.
                    continue;
                }
                let index = crown.kept.len();
                if let Some((parent, bit)) = parent {
                    crown.kept[parent][bit] = KEPT | index as u32;
                }
                crown.kept.push(records);
                for (bit, record) in records.into_iter().enumerate() {
                    if record < tree.node_count {
                        next.push((record, Some((index, bit))));
                    }
                }
            }
            level = next;
        }
        Ok(crown)
    }

    /// A walk along `bits`, of which there are `length` in all from the tree's root on, as far as
    /// the kept nodes lead.
    pub(crate) fn walk(&self, mut bits: Bits, length: u8) -> Walk {
        let (mut record, mut depth) = (self.root, self.depth);
        let mut node = self.kept.first();
        while let Some(links) = node
            && depth < length
        {
            record = links[bits.next() as usize];
            depth += 1;
            if record & KEPT == 0 {
                break;
            }
            node = self.kept.get((record & !KEPT) as usize);
        }
        if record & KEPT != 0 {
            // The bits ended before the tree did. Any node says so.
            record = self.root;
        }
        Walk { bits, record, depth, length }
    }
}
