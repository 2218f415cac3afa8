//! A database, and what is asked of it.

use std::net::IpAddr;

use crate::decode::{self, Section};
use crate::metadata::SEPARATOR;
use crate::tree::{Bits, Crown, Tree, Walk};
use crate::{Error, Metadata, Network, Source, Value};

/// A MaxMind DB file, read through a [`Source`].
///
/// Nothing of it is in memory but its metadata and what [`keep`](Database::keep) is told to.
#[derive(Clone, Debug)]
pub struct Database<S> {
    source: S,
    metadata: Metadata,
    tree: Tree,
    data: Section,
    ipv4: Crown,
    ipv6: Crown,
    /// Where IPv4 addresses begin, and how deep.
    ipv4_root: (u32, u8),
}

/// What a lookup found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The network that the record is about: every address of it has the same answer. If there is
    /// no record, the largest around the address that has none.
    ///
    /// It is one of the address's own version, unless an IPv4 address was looked up in a database
    /// that has less than 96 bits for all of them.
    pub network: Network,
    /// The record, or none for an address of which the database says nothing.
    pub record: Option<Record>,
}

/// The place of a record. Addresses with the same record usually share its place, too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Record(pub(crate) u32);

impl<S: Source> Database<S> {
    /// Reads the metadata: two or three reads, those of the path to IPv4 included.
    pub fn open(source: S) -> Result<Database<S>, Error<S::Error>> {
        let length = source.len().map_err(Error::Source)?;
        let (metadata, end) = Metadata::read(&source, length)?;
        let tree = Tree::new(&metadata, length);
        let data = Section { start: metadata.tree_length() + SEPARATOR, end };
        let ipv4_root = match metadata.ip_version {
            4 => (0, 0),
            _ => tree.ipv4_root(&source)?,
        };
        let ipv4 = Crown::grow(&tree, &source, ipv4_root, 0)?;
        let ipv6 = Crown::grow(&tree, &source, (0, 0), 0)?;
        Ok(Database { source, metadata, tree, data, ipv4, ipv6, ipv4_root })
    }

    /// Keeps the uppermost `nodes` nodes of the tree in memory, of either IP version: 8 bytes for
    /// each. Worth it for more than a few hundred lookups; 16,384 leave one read or none for most.
    pub fn keep(&mut self, nodes: usize) -> Result<(), Error<S::Error>> {
        self.ipv4 = Crown::grow(&self.tree, &self.source, self.ipv4_root, nodes)?;
        if self.metadata.ip_version == 6 {
            self.ipv6 = Crown::grow(&self.tree, &self.source, (0, 0), nodes)?;
        }
        Ok(())
    }

    /// What the database says of itself.
    pub fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    /// What it is read from.
    pub fn source(&self) -> &S {
        &self.source
    }

    /// Looks up an address.
    pub fn lookup(&self, address: IpAddr) -> Result<Answer, Error<S::Error>> {
        let mut walk = self.start(address)?;
        self.tree.finish(&self.source, &mut walk)?;
        self.answer(address, &walk)
    }

    /// Looks up many addresses at once, and adds the answers to `answers` in their order.
    ///
    /// All of them go down the tree together, so that there are only as many reads as for the one
    /// that takes most. A few hundred at a time are enough for that.
    pub fn lookup_many(
        &self,
        addresses: &[IpAddr],
        answers: &mut Vec<Answer>,
    ) -> Result<(), Error<S::Error>> {
        let mut walks = Vec::with_capacity(addresses.len());
        for &address in addresses {
            walks.push(self.start(address)?);
        }
        if self.source.near() {
            walks.iter_mut().try_for_each(|walk| self.tree.finish(&self.source, walk))?;
        }
        let mut on_their_way: Vec<usize> =
            (0..walks.len()).filter(|&index| self.tree.goes_on(&walks[index])).collect();
        let (mut offsets, mut windows) = (Vec::new(), Vec::new());
        while !on_their_way.is_empty() {
            offsets.clear();
            offsets.extend(on_their_way.iter().map(|&index| self.tree.window(walks[index].record)));
            windows.resize(offsets.len() * self.tree.window_length(), 0);
            self.source.read_many(&offsets, &mut windows).map_err(Error::Source)?;
            let mut read = offsets.iter().zip(windows.chunks_exact(self.tree.window_length()));
            on_their_way.retain(|&index| {
                let walk = &mut walks[index];
                if let Some((&start, window)) = read.next() {
                    self.tree.step(walk, start, window);
                }
                self.tree.goes_on(walk)
            });
        }
        for (&address, walk) in addresses.iter().zip(&walks) {
            answers.push(self.answer(address, walk)?);
        }
        Ok(())
    }

    /// Decodes a record that a lookup in this database found.
    pub fn value(&self, record: Record) -> Result<Value, Error<S::Error>> {
        decode::value(&self.source, self.data, self.data.start + u64::from(record.0))
    }

    fn start(&self, address: IpAddr) -> Result<Walk, Error<S::Error>> {
        Ok(match (address, self.metadata.ip_version) {
            (IpAddr::V4(address), version) => {
                let bits = Bits::new(u128::from(address.to_bits()) << 96);
                self.ipv4.walk(bits, if version == 4 { 32 } else { 128 })
            }
            (IpAddr::V6(_), 4) => return Err(Error::NoIpv6),
            (IpAddr::V6(address), _) => self.ipv6.walk(Bits::new(address.to_bits()), 128),
        })
    }

    fn answer(&self, address: IpAddr, walk: &Walk) -> Result<Answer, Error<S::Error>> {
        let damaged = |what| Error::Tree { what, address };
        let network = match (address, self.metadata.ip_version) {
            (IpAddr::V4(_), 6) if walk.depth >= 96 => Network::of(address, walk.depth - 96),
            (IpAddr::V4(address), 6) => {
                Network::of(address.to_ipv6_compatible().into(), walk.depth)
            }
            _ => Network::of(address, walk.depth),
        };
        let record = match walk.record.checked_sub(self.tree.node_count) {
            None => return Err(damaged("goes on after the last bit")),
            Some(0) => None,
            // Behind the tree's zeros: offset 0 of the records is as much past the nodes.
            Some(past) => {
                let offset = past.checked_sub(SEPARATOR as u32);
                let offset = offset.filter(|&at| u64::from(at) < self.data.end - self.data.start);
                Some(Record(offset.ok_or(damaged("leads out of the records"))?))
            }
        };
        Ok(Answer { network, record })
    }
}

#[cfg(test)]
mod tests;
