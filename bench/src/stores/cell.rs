//! One cell of the table: so many stores, in a process that does nothing else.

use super::memory::{Memory, ranges};
use crate::embedding::{FILE_NAME, GUEST_DIR};
use crate::numbers::median_and_minimum;
use crate::offsets::{FILE_BYTES, content, next, scrambled};
use clap::ValueEnum;
use iommap::{
    FsPerms, Grants, IommapCtx, IommapCtxBuilder, IommapCtxView, IommapView, Limits, OpenOptions,
    Usage,
};
use std::fmt;
use std::path::Path;
use std::time::Instant;
use wasmtime::component::{Component, Linker, ResourceTable, TypedFunc};
use wasmtime::error::Context;
use wasmtime::{Config, Engine, Result, Store, ensure};

/// How many reads each of them makes, after it has opened the file.
pub(super) const READS: u32 = 16;

/// How stores come to the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Way {
    /// Each maps it for itself.
    Separate,
    /// They open it, and use one region.
    Shared,
    /// They open a mapping that their embedder shares.
    Lent,
}

impl Way {
    pub(super) fn name(self) -> &'static str {
        match self {
            Way::Separate => "a region each",
            Way::Shared => "one region",
            Way::Lent => "the embedder's mapping",
        }
    }
}

/// What one process found.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Cell {
    /// Ranges of address space that map the file.
    pub(super) ranges: u64,
    /// Address space of the mappings, in bytes.
    pub(super) address_space: u64,
    /// Memory for the mappings, for each store, in bytes.
    pub(super) memory: u64,
    /// Page tables, after every store has read, in bytes.
    pub(super) page_tables: u64,
    /// The median time to open, in nanoseconds.
    pub(super) open: f64,
    /// The median time of a store's first reads, each, in nanoseconds.
    pub(super) read: f64,
    /// A store and its guest without a mapping: memory, in bytes.
    pub(super) store: u64,
}

impl Cell {
    /// Of each number the median of many runs.
    pub(super) fn median(cells: &[Cell]) -> Cell {
        let all: Vec<_> = cells.iter().map(Cell::numbers).collect();
        Cell::of(std::array::from_fn(|which| {
            median_and_minimum(&mut all.iter().map(|numbers| numbers[which]).collect::<Vec<_>>()).0
        }))
    }

    /// What another process has said of its cell.
    pub(super) fn read(text: &str) -> Option<Cell> {
        let numbers = text.split_whitespace().map(|number| number.parse().ok());
        Some(Cell::of(numbers.collect::<Option<Vec<f64>>>()?.try_into().ok()?))
    }

    fn numbers(&self) -> [f64; 7] {
        let Cell { ranges, address_space, memory, page_tables, open, read, store } = *self;
        let [ranges, address_space, memory, page_tables, store] =
            [ranges, address_space, memory, page_tables, store].map(|number| number as f64);
        [ranges, address_space, memory, page_tables, open, read, store]
    }

    fn of([ranges, address_space, memory, page_tables, open, read, store]: [f64; 7]) -> Cell {
        let [ranges, address_space, memory, page_tables, store] =
            [ranges, address_space, memory, page_tables, store].map(|number| number as u64);
        Cell { ranges, address_space, memory, page_tables, open, read, store }
    }
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.numbers().iter().try_for_each(|number| write!(f, "{number} "))
    }
}

struct State {
    iommap: IommapCtx,
    table: ResourceTable,
}

impl IommapView for State {
    fn iommap(&mut self) -> IommapCtxView<'_> {
        IommapCtxView { ctx: &mut self.iommap, table: &mut self.table }
    }
}

/// A store and the functions of its guest.
struct Tenant {
    store: Store<State>,
    open: TypedFunc<(), ()>,
    read: TypedFunc<(u32, u64, u64), (u64,)>,
}

/// Measures `count` stores on the file in `dir`.
pub(super) fn measure(dir: &Path, count: usize, way: Way) -> Result<Cell> {
    let path = dir.join(FILE_NAME);
    let mut builder = builder(dir, way)?;
    let mut make = tenants()?;
    // What is made once for all stores is not any store's: one that stays is there before.
    let mut first = make(&mut builder)?;
    first.open.call(&mut first.store, ())?;
    first.read.call(&mut first.store, (1, 0, 1))?;
    drop(first);

    let begin = Memory::now()?;
    let mut tenants = (0..count).map(|_| make(&mut builder)).collect::<Result<Vec<_>>>()?;
    let made = Memory::now()?;
    let open = times(&mut tenants, |_, tenant| tenant.open.call(&mut tenant.store, ()))?;
    let opened = Memory::now()?;
    let read = times(&mut tenants, |number, tenant| {
        let seed = scrambled(number as u64);
        let params = (READS, FILE_BYTES - 8, seed);
        let (sum,) = tenant.read.call(&mut tenant.store, params)?;
        ensure!(sum == expected(seed), "store {number} has read something else");
        Ok(())
    })?;
    let read_from = Memory::now()?;
    Ok(Cell {
        // That of the embedder's own mapping counts, however many guests use it.
        ranges: ranges(&path)?,
        address_space: opened.address_space.saturating_sub(made.address_space)
            + if way == Way::Lent { FILE_BYTES } else { 0 },
        memory: opened.memory.saturating_sub(made.memory) / count as u64,
        page_tables: read_from.page_tables.saturating_sub(made.page_tables),
        open,
        read: read / f64::from(READS),
        store: made.memory.saturating_sub(begin.memory) / count as u64,
    })
}

/// What every store is granted.
fn builder(dir: &Path, way: Way) -> Result<IommapCtxBuilder> {
    let mut builder = IommapCtx::builder();
    if way != Way::Lent {
        builder.preopened_dir(dir, GUEST_DIR, FsPerms::ReadOnly)?;
        builder.common_regions(way == Way::Shared);
        return Ok(builder);
    }
    let mut own = Grants::default();
    own.preopened_dir(dir, "/", FsPerms::ReadOnly)?;
    let options = OpenOptions::new().read(true);
    let mapping = own.open(&Usage::new(Limits::default()), FILE_NAME, &options)?;
    builder.share(format!("{GUEST_DIR}/{FILE_NAME}"), mapping, FsPerms::ReadOnly);
    Ok(builder)
}

/// Makes stores with a guest each, as small as they can be: no address space is reserved for a
/// memory to grow into.
fn tenants() -> Result<impl FnMut(&mut IommapCtxBuilder) -> Result<Tenant>> {
    let mut config = Config::new();
    config.concurrency_support(false);
    config.memory_reservation(0).memory_guard_size(0).memory_reservation_for_growth(0);
    config.memory_init_cow(false);
    let engine = Engine::new(&config)?;
    let mut linker = Linker::<State>::new(&engine);
    iommap::add_to_linker(&mut linker, State::iommap)?;
    let guest = Component::new(&engine, wat::parse_str(include_str!("guest.wat"))?)?;
    let guest = linker.instantiate_pre(&guest)?;
    Ok(move |builder: &mut IommapCtxBuilder| {
        let state = State { iommap: builder.build(), table: ResourceTable::new() };
        let mut store = Store::new(&engine, state);
        let instance = guest.instantiate(&mut store)?;
        let open = instance.get_typed_func(&mut store, "open")?;
        let read = instance.get_typed_func(&mut store, "read")?;
        Ok(Tenant { store, open, read })
    })
}

/// The median time of what each store does, in nanoseconds.
fn times(
    tenants: &mut [Tenant],
    mut work: impl FnMut(usize, &mut Tenant) -> Result<()>,
) -> Result<f64> {
    let mut times = Vec::with_capacity(tenants.len());
    for (number, tenant) in tenants.iter_mut().enumerate() {
        let start = Instant::now();
        work(number, tenant).with_context(|| format!("store {number}"))?;
        times.push(start.elapsed().as_nanos() as f64);
    }
    Ok(median_and_minimum(&mut times).0)
}

/// What a guest's reads add up to.
fn expected(seed: u64) -> u64 {
    let mut x = seed;
    (0..READS).fold(0, |sum, _| {
        x = next(x, 0);
        let bytes = content(x & (FILE_BYTES - 8), 8);
        sum.wrapping_add(bytes.try_into().map_or(0, u64::from_le_bytes))
    })
}
