//! Who waits for whom: whether that closes a circle, and who goes first.

use super::{FileId, Owner, Table, Waiting};
use crate::mapping::lock::ranges::Wish;
use std::collections::HashSet;
use std::time::Instant;

/// So many holders and waiters are looked at to find out who waits for whom, since all others of the
/// process wait meanwhile: a circle of 128 stores on one file, which all hold ranges of it. Where that is
/// too few, nobody is told of a circle, and who looks goes first.
const LOOKS: usize = 1 << 14;

impl Table {
    /// Somebody who waits looks again. Is it somebody else's turn?
    pub(in crate::mapping::lock) fn has_to_let_others(&mut self, file: FileId, turn: u64) -> bool {
        self.lets_others(file, turn, &mut Search::new())
    }

    fn lets_others(&mut self, file: FileId, turn: u64, search: &mut Search) -> bool {
        let Some(locked) = self.files.get_mut(&file) else { return false };
        let Some(me) = locked.waiters.get_mut(&turn) else { return false };
        me.looked = search.now;
        let (Some(owner), wish) = (me.owner, me.wish.clone()) else { return false };
        let mut next = Vec::new();
        for (_, waiting) in self.before(file, turn, &wish, search.now) {
            let Some(other) = waiting.owner.filter(|other| *other != owner) else { continue };
            next.clear();
            next.push(other);
            // Who waits for me has to let me go first.
            if !self.leads_to(owner, &mut next, true, search) {
                return true;
            }
        }
        false
    }

    /// Would an owner that waits for this wait for itself?
    pub(super) fn closes_a_circle(
        &self,
        file: FileId,
        mapping: u64,
        owner: Owner,
        wish: &Wish,
        search: &mut Search,
    ) -> bool {
        let mut next = Vec::new();
        self.holding(file, mapping, wish, search, &mut next)
            && self.leads_to(owner, &mut next, false, search)
    }

    /// Adds the owners of what keeps somebody from having this, but for those seen before. `false`:
    /// the search has come to its end meanwhile.
    fn holding(
        &self,
        file: FileId,
        mapping: u64,
        wish: &Wish,
        search: &mut Search,
        next: &mut Vec<Owner>,
    ) -> bool {
        let holders = self.files.get(&file).into_iter().flat_map(|file| &file.holders);
        for (number, holder) in holders {
            if !search.looks() {
                return false;
            }
            if *number != mapping
                && let Some(owner) = holder.owner.filter(|owner| !search.seen.contains(owner))
                && holder.held.exclude(wish)
            {
                next.push(owner);
            }
        }
        true
    }

    /// Adds those who came before somebody, likewise.
    fn earlier(
        &self,
        file: FileId,
        turn: u64,
        wish: &Wish,
        search: &mut Search,
        next: &mut Vec<Owner>,
    ) -> bool {
        let waiters = self.files.get(&file).into_iter().flat_map(|file| file.waiters.range(..turn));
        for (_, waiting) in waiters {
            if !search.looks() {
                return false;
            }
            if let Some(owner) = waiting.owner.filter(|owner| !search.seen.contains(owner))
                && waiting.comes_before(wish, search.now)
            {
                next.push(owner);
            }
        }
        true
    }

    /// Is `end` among these owners, or those whom they wait for, and so on? With turns, also whom they
    /// let go first. Where the search has come to its end: with turns, since two who let each other go
    /// first would never get anywhere.
    fn leads_to(
        &self,
        end: Owner,
        next: &mut Vec<Owner>,
        with_turns: bool,
        search: &mut Search,
    ) -> bool {
        search.seen.clear();
        while let Some(owner) = next.pop() {
            if owner == end {
                return true;
            }
            if !search.seen.insert(owner) {
                continue;
            }
            let Some(&(file, turn)) = self.waiting.get(&owner) else { continue };
            let waiting = self.files.get(&file).and_then(|file| file.waiters.get(&turn));
            let Some(Waiting { mapping, wish, away, .. }) = waiting else { continue };
            // Who is away waits for nobody, and has its turn.
            if *away && !with_turns {
                continue;
            }
            // The last are followed first: holders, by whom most circles close.
            let goes_on = (!with_turns || self.earlier(file, turn, wish, search, next))
                && self.holding(file, *mapping, wish, search, next);
            if !goes_on {
                return with_turns;
            }
        }
        false
    }
}

/// What one look into who waits for whom may cost, and has seen.
pub(super) struct Search {
    pub(super) now: Instant,
    left: usize,
    seen: HashSet<Owner>,
}

impl Search {
    pub(super) fn new() -> Search {
        Search { now: Instant::now(), left: LOOKS, seen: HashSet::new() }
    }

    /// Is there one more look?
    fn looks(&mut self) -> bool {
        let more = self.left > 0;
        self.left = self.left.saturating_sub(1);
        more
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mapping::LockMode::Exclusive;
    use crate::mapping::lock::signal::Signal;
    use crate::mapping::lock::table::Deadlock;
    use std::ops::Range;
    use std::sync::Arc;

    const FILE: FileId = (0, 0);

    fn wish(range: Range<u64>) -> Wish {
        Wish { range, mode: Exclusive }
    }

    /// A table in which each store holds the byte of its number.
    fn holding(stores: u64) -> Table {
        let mut table = Table::default();
        for store in 0..stores {
            let range = store..store + 1;
            let (change, _) = table.plan(FILE, store, &range, Some(Exclusive));
            table.hold(FILE, store, Some(owner(store)), &range, change).wake();
        }
        table
    }

    fn owner(store: u64) -> Owner {
        Owner::numbered(store)
    }

    fn queue(table: &mut Table, store: u64, range: Range<u64>) -> Result<Arc<Signal>, Deadlock> {
        table.queue(FILE, store, Some(owner(store)), &wish(range), store)
    }

    #[test]
    fn a_circle_is_found_up_to_its_size() {
        for stores in [2, 3, 100, 128] {
            let mut table = holding(stores);
            for store in 0..stores - 1 {
                assert!(
                    queue(&mut table, store, store + 1..store + 2).is_ok(),
                    "{stores}: {store}"
                );
            }
            assert!(queue(&mut table, stores - 1, 0..1).is_err(), "{stores}");
        }
    }

    #[test]
    fn a_search_among_many_ends() {
        const STORES: u64 = 400;
        let mut table = holding(STORES);
        // Each waits for all before it.
        for store in 1..STORES {
            assert!(queue(&mut table, store, 0..store).is_ok(), "{store}");
        }
        let mut search = Search::new();
        let all = wish(0..STORES);
        assert!(!table.closes_a_circle(FILE, STORES, owner(STORES), &all, &mut search));
        assert_eq!(search.left, 0);
        assert!(queue(&mut table, STORES, 0..STORES).is_ok());
        let mut search = Search::new();
        let waiters = table.files.get_mut(&FILE).unwrap().waiters.values_mut();
        waiters.for_each(|waiting| waiting.looked = search.now);
        assert!(table.lets_others(FILE, STORES, &mut search), "the first goes first");
        assert!(search.left > LOOKS - 3 * STORES as usize, "{}", search.left);
    }

    #[test]
    fn who_is_away_waits_for_nobody_until_it_is_back() {
        let mut table = holding(2);
        assert!(queue(&mut table, 0, 1..2).is_ok());
        table.go_away(FILE, 0);
        assert!(queue(&mut table, 1, 0..1).is_ok(), "it may give back what it has");
        let back = table.come_back(FILE, 0);
        assert!(matches!(back, Some(Err(Deadlock))), "{back:?}");
        table.leave(FILE, 1, false).wake();
        assert!(matches!(table.come_back(FILE, 0), Some(Ok(()))));
        assert!(queue(&mut table, 1, 0..1).is_err());
        // A place elsewhere is the end of this one.
        table.give_up(Some(owner(0))).wake();
        assert!(table.come_back(FILE, 0).is_none());
        assert!(queue(&mut table, 1, 0..1).is_ok());
    }

    #[test]
    fn a_later_one_lets_the_earlier_go_first() {
        let mut table = holding(1);
        for store in 1..300 {
            assert!(queue(&mut table, store, 0..1).is_ok());
        }
        for store in 1..300 {
            assert_eq!(table.has_to_let_others(FILE, store), store > 1);
        }
    }
}
