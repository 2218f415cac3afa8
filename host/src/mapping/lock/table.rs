//! Who in this process holds locks on which file, and who waits for some.
//!
//! The kernel decides who has a lock. What is here is for what it can't do: to wake those of this
//! process who wait, to find out if they wait for each other, and to give them turns.

mod search;

use super::ranges::{Change, LockMode, Ranges, Wish};
use super::signal::Signal;
use crate::mapping::process::Own;
use search::Search;
use std::collections::{BTreeMap, HashMap};
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// A file: its device and its number there.
pub(super) type FileId = (u64, u64);

/// Somebody who does one thing at a time: a store. Whoever else has mappings is nobody here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Owner(u64);

impl Owner {
    /// One that nobody was before: what a store holds may outlive it for a moment, where a call goes on
    /// that nobody waits for any more.
    pub(crate) fn new() -> Owner {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Owner(NEXT.fetch_add(1, Relaxed))
    }

    #[cfg(test)]
    fn numbered(number: u64) -> Owner {
        Owner(number)
    }
}

/// Who has not looked for so long does not come before others: a task that nobody polls, a guest that
/// does not ask again.
pub(super) const STALE: Duration = Duration::from_millis(250);

/// So many are woken at once. The rest look by themselves before long.
const WOKEN_AT_ONCE: usize = 64;

/// Whom to wake, once the table is free: what a task is woken by is somebody else's code.
#[must_use]
pub(super) struct Woken(Vec<Arc<Signal>>);

impl Woken {
    pub(super) fn wake(self) {
        self.0.iter().for_each(|signal| signal.wake());
    }
}

#[derive(Default)]
pub(super) struct Table {
    files: HashMap<FileId, Locked>,
    /// The place of each owner among those who wait. It has one at most.
    waiting: HashMap<Owner, (FileId, u64)>,
}

/// A file that locks are asked for on.
#[derive(Default)]
struct Locked {
    /// By the number of the mapping.
    holders: BTreeMap<u64, Holder>,
    /// By turns: who came first is first.
    waiters: BTreeMap<u64, Waiting>,
}

#[derive(Default)]
struct Holder {
    owner: Option<Owner>,
    held: Ranges,
}

struct Waiting {
    mapping: u64,
    owner: Option<Owner>,
    wish: Wish,
    signal: Arc<Signal>,
    looked: Instant,
    /// It is at something else between two stretches, and only has its place.
    away: bool,
}

/// The table of this process.
pub(super) fn table() -> MutexGuard<'static, Table> {
    static TABLE: Own<Mutex<Table>> = Own::new(Mutex::default);
    // Nothing here panics halfway through a change.
    TABLE.get().lock().unwrap_or_else(PoisonError::into_inner)
}

/// A number that nobody else has, for a mapping or for a turn. A forked child goes on with its parent's:
/// what it has copies of has numbers that its own table is not to give again.
pub(super) fn number() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    NEXT.fetch_add(1, Relaxed)
}

impl Table {
    /// What would come of holding a range so, or of giving it back, and how many ranges that are.
    pub(super) fn plan(
        &self,
        file: FileId,
        mapping: u64,
        range: &Range<u64>,
        mode: Option<LockMode>,
    ) -> (Change, u64) {
        let none = Ranges::default();
        let held = self.files.get(&file).and_then(|file| file.holders.get(&mapping));
        let held = held.map_or(&none, |holder| &holder.held);
        let change = held.change(range, mode);
        let after = held.len_after(&change);
        (change, after)
    }

    /// The kernel has done it.
    pub(super) fn hold(
        &mut self,
        file: FileId,
        mapping: u64,
        owner: Option<Owner>,
        range: &Range<u64>,
        change: Change,
    ) -> Woken {
        let frees = change.frees;
        let locked = self.files.entry(file).or_default();
        let holder = locked.holders.entry(mapping).or_default();
        holder.owner = owner.or(holder.owner);
        holder.held.apply(change);
        if holder.held.len() == 0 {
            locked.holders.remove(&mapping);
        }
        let woken = if frees { locked.woken(range) } else { Woken(Vec::new()) };
        self.forget(file);
        woken
    }

    /// A mapping holds nothing any more.
    pub(super) fn let_go(&mut self, file: FileId, mapping: u64) -> Woken {
        let Some(locked) = self.files.get_mut(&file) else { return Woken(Vec::new()) };
        let woken = match locked.holders.remove(&mapping) {
            Some(_) => locked.woken(&(0..u64::MAX)),
            None => Woken(Vec::new()),
        };
        self.forget(file);
        woken
    }

    fn forget(&mut self, file: FileId) {
        let empty = |file: &Locked| file.holders.is_empty() && file.waiters.is_empty();
        if self.files.get(&file).is_some_and(empty) {
            self.files.remove(&file);
        }
    }

    /// An owner that is about to wait gives up the place that it had for something else, if any.
    pub(super) fn give_up(&mut self, owner: Option<Owner>) -> Woken {
        match owner.and_then(|owner| self.waiting.get(&owner).copied()) {
            Some((file, turn)) => self.leave(file, turn, false),
            None => Woken(Vec::new()),
        }
    }

    /// Somebody is at something else for a while, and keeps its place.
    pub(super) fn go_away(&mut self, file: FileId, turn: u64) {
        if let Some(waiting) = self.waiter(file, turn) {
            waiting.away = true;
        }
    }

    /// It is back. `None`: it has given up its place meanwhile.
    pub(super) fn come_back(&mut self, file: FileId, turn: u64) -> Option<Result<(), Deadlock>> {
        let mut search = Search::new();
        let waiting = self.waiter(file, turn)?;
        (waiting.away, waiting.looked) = (false, search.now);
        let (mapping, owner, wish) = (waiting.mapping, waiting.owner, waiting.wish.clone());
        let for_ever = owner
            .is_some_and(|owner| self.closes_a_circle(file, mapping, owner, &wish, &mut search));
        Some(if for_ever { Err(Deadlock) } else { Ok(()) })
    }

    fn waiter(&mut self, file: FileId, turn: u64) -> Option<&mut Waiting> {
        self.files.get_mut(&file)?.waiters.get_mut(&turn)
    }

    /// Somebody waits from now on, unless that were for ever.
    pub(super) fn queue(
        &mut self,
        file: FileId,
        mapping: u64,
        owner: Option<Owner>,
        wish: &Wish,
        turn: u64,
    ) -> Result<Arc<Signal>, Deadlock> {
        let mut search = Search::new();
        if let Some(owner) = owner
            && self.closes_a_circle(file, mapping, owner, wish, &mut search)
        {
            return Err(Deadlock);
        }
        let signal = Arc::new(Signal::default());
        let waiting = Waiting {
            mapping,
            owner,
            wish: wish.clone(),
            signal: signal.clone(),
            looked: search.now,
            away: false,
        };
        self.files.entry(file).or_default().waiters.insert(turn, waiting);
        if let Some(owner) = owner {
            self.waiting.insert(owner, (file, turn));
        }
        Ok(signal)
    }

    /// Nobody waits there any more. Those behind may go on, unless a lock was got that keeps them.
    pub(super) fn leave(&mut self, file: FileId, turn: u64, got: bool) -> Woken {
        let mut woken = Woken(Vec::new());
        let Some(locked) = self.files.get_mut(&file) else { return woken };
        if let Some(left) = locked.waiters.remove(&turn) {
            if let Some(owner) = left.owner
                && self.waiting.get(&owner) == Some(&(file, turn))
            {
                self.waiting.remove(&owner);
            }
            if !(got && left.wish.mode == LockMode::Exclusive) {
                woken = locked.woken(&left.wish.range);
            }
        }
        self.forget(file);
        woken
    }

    /// Does anybody wait for what would be asked for without a turn?
    pub(super) fn has_queue(&self, file: FileId, wish: &Wish) -> bool {
        self.before(file, u64::MAX, wish, Instant::now()).next().is_some()
    }

    /// Those who came before somebody, and want what can't be had together with this.
    fn before<'t>(
        &'t self,
        file: FileId,
        turn: u64,
        wish: &'t Wish,
        now: Instant,
    ) -> impl Iterator<Item = (u64, &'t Waiting)> {
        let waiters = self.files.get(&file).into_iter().flat_map(move |file| {
            file.waiters.range(..turn).map(|(turn, waiting)| (*turn, waiting))
        });
        waiters.filter(move |(_, waiting)| waiting.comes_before(wish, now))
    }
}

/// Whoever waited would wait for ever.
#[derive(Debug)]
pub(super) struct Deadlock;

impl Waiting {
    fn is_awake(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.looked) < STALE
    }

    /// Does somebody have turns and use them, who wants what can't be had together with this?
    fn comes_before(&self, wish: &Wish, now: Instant) -> bool {
        self.owner.is_some() && self.is_awake(now) && self.wish.excludes(wish)
    }
}

impl Locked {
    /// Those who want some of this range, but for those who would let others go first.
    fn woken(&self, range: &Range<u64>) -> Woken {
        let now = Instant::now();
        let mut woken: Vec<&Waiting> = Vec::new();
        let all = Wish { range: range.clone(), mode: LockMode::Exclusive };
        // Who is away looks when it is back, and not because it is told.
        let told = |waiting: &&Waiting| !waiting.away || waiting.is_awake(now);
        for waiting in self.waiters.values().filter(told).filter(|it| it.wish.excludes(&all)) {
            let first =
                |other: &&Waiting| other.is_awake(now) && other.wish.excludes(&waiting.wish);
            if waiting.owner.is_some() && woken.iter().any(first) {
                continue;
            }
            woken.push(waiting);
            if woken.len() == WOKEN_AT_ONCE {
                break;
            }
        }
        Woken(woken.into_iter().map(|waiting| waiting.signal.clone()).collect())
    }
}
