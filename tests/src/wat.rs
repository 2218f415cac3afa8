//! Guests written by hand, whose `realloc` does what no compiler would make it do.

use std::sync::LazyLock;

use iommap::{IommapCtxBuilder, MappingHandle};
use wasmtime::Result;
use wasmtime::component::{Component, ComponentNamedList, Instance, Lift, Lower, Resource};

use crate::scene::{Host, Scene, fnv};

/// A `realloc` as it should be: memory that nobody else has.
pub const HONEST: &str = "(call $bump (local.get $align) (local.get $size))";

/// Where results are written unless the test says otherwise.
pub const RESULT: u32 = 64;

/// Where the guest's memory is free for the test, up to 64 KiB.
pub const FREE: u32 = 1024;

/// How many bytes a `result<list<u8>, error-code>` has in a guest's memory.
pub const RESULT_BYTES: u32 = 20;

/// The names of errors, in the order of `iommap.wit`.
pub(crate) fn error_codes() -> &'static [String] {
    static CODES: LazyLock<Vec<String>> =
        LazyLock::new(|| iommap_wat::error_codes().expect("the interface's errors"));
    &CODES
}

/// One call of the guest's `realloc`.
#[derive(Debug, PartialEq, Eq)]
pub struct Realloc {
    /// What was given out before, or 0.
    pub old: u32,
    /// How much that was.
    pub was: u32,
    /// To be aligned as this.
    pub align: u32,
    /// How much is wanted.
    pub size: u32,
}

/// A guest written by hand: `hostile.wat`, with one mapping of the scene's file `f`.
///
/// Every call that returns a name returns `ok` or the error's. Every one of them is an error
/// itself if the guest trapped.
pub struct Hostile {
    host: Host,
    instance: Instance,
}

impl Scene {
    /// A guest with this `realloc`: WAT, with `$old`, `$was`, `$align` and `$size` as locals.
    pub fn hostile(&self, realloc: &str) -> Hostile {
        self.hostile_with(realloc, &mut self.grant())
    }

    /// The same, with a context.
    pub fn hostile_with(&self, realloc: &str, context: &mut IommapCtxBuilder) -> Hostile {
        let module = include_str!("hostile.wat").replace("(BODY)", realloc);
        let wit = include_str!("hostile.wit");
        let component = iommap_wat::component(&[wit], "iommap:test/hostile", &module);
        let component = Component::new(self.kind().engine(), component.expect("a component"))
            .expect("a component");
        let mut host = Host::new(self.kind(), context);
        let instance = host.instantiate(&component).expect("an instance");
        Hostile { host, instance }
    }
}

impl Hostile {
    fn call<P, R>(&mut self, name: &str, params: P) -> Result<R>
    where
        P: ComponentNamedList + Lower + Send + Sync + 'static,
        R: ComponentNamedList + Lift + Send + Sync + 'static,
    {
        let function = self.instance.get_typed_func(&mut self.host.store, name)?;
        self.host.call(&function, params)
    }

    fn status<P>(&mut self, name: &str, params: P) -> Result<&'static str>
    where
        P: ComponentNamedList + Lower + Send + Sync + 'static,
    {
        let (status,): (u32,) = self.call(name, params)?;
        Ok(match status.checked_sub(1) {
            None => "ok",
            Some(code) => &error_codes()[code as usize],
        })
    }

    /// Opens the file for reading and writing.
    pub fn open(&mut self) -> Result<&'static str> {
        self.status("open", (2u32,))
    }

    /// Is given a mapping.
    pub fn adopt(&mut self, mapping: MappingHandle) -> Result<()> {
        let handle: Resource<MappingHandle> = self.host.store.data_mut().table().push(mapping)?;
        self.call("adopt", (handle,))
    }

    /// Closes the mapping.
    pub fn close(&mut self) -> Result<&'static str> {
        self.status("close", ())
    }

    /// Reads, with the result at `to`.
    pub fn pread(&mut self, offset: u64, length: u64, to: u32) -> Result<&'static str> {
        self.status("pread", (offset, length, to))
    }

    /// Writes what is at `data`.
    pub fn pwrite(&mut self, offset: u64, data: u32, length: u32) -> Result<&'static str> {
        self.status("pwrite", (offset, data, length))
    }

    /// Reads the ranges whose list is at `ranges`, with the result at `to`.
    pub fn pread_many(&mut self, ranges: u32, count: u32, to: u32) -> Result<&'static str> {
        self.status("pread-many", (ranges, count, to))
    }

    /// Writes what is at `data` to the ranges whose list is at `ranges`.
    pub fn pwrite_many(
        &mut self,
        ranges: u32,
        count: u32,
        data: u32,
        length: u32,
    ) -> Result<&'static str> {
        self.status("pwrite-many", (ranges, count, data, length))
    }

    /// Puts a list of ranges where the guest's memory is free.
    pub fn list(&mut self, ranges: &[(u64, u64)]) -> Result<()> {
        let words = ranges.iter().flat_map(|&(offset, length)| [offset, length]);
        for (at, word) in (FREE..).step_by(8).zip(words) {
            self.poke(at, word)?;
        }
        Ok(())
    }

    /// A word of the guest's memory.
    pub fn peek(&mut self, at: u32) -> Result<u32> {
        self.call("peek", (at,)).map(|(word,)| word)
    }

    /// Writes eight bytes to the guest's memory.
    pub fn poke(&mut self, at: u32, value: u64) -> Result<()> {
        self.call("poke", (at, value))
    }

    /// Where the guest's memory ends.
    pub fn end(&mut self) -> Result<u32> {
        self.call("end", ()).map(|(end,)| end)
    }

    /// Calls itself until there is no stack left.
    pub fn recurse(&mut self) -> Result<u64> {
        self.call("recurse", (0u64,)).map(|(depth,)| depth)
    }

    /// How `realloc` was called so far.
    pub fn reallocs(&mut self) -> Result<Vec<Realloc>> {
        let count = self.peek(128)?;
        let mut calls = Vec::new();
        for at in (132..).step_by(16).take(count as usize) {
            calls.push(Realloc {
                old: self.peek(at)?,
                was: self.peek(at + 4)?,
                align: self.peek(at + 8)?,
                size: self.peek(at + 12)?,
            });
        }
        Ok(calls)
    }

    /// Fails unless the result at `to` is `ok` with exactly these bytes. Returns where they are.
    #[track_caller]
    pub fn assert_result(&mut self, to: u32, expected: &[u8]) -> u32 {
        let mut word = |at| self.peek(at).expect("memory");
        let (discriminant, start, length) = (word(to) & 0xff, word(to + 4), word(to + 8));
        assert_eq!((discriminant, length as usize), (0, expected.len()));
        let hash: Result<(u64,)> = self.call("hash", (start, length));
        assert_eq!(hash.expect("memory").0, fnv(expected), "the bytes at {start}");
        start
    }

    /// The store, which goes with the guest otherwise.
    pub fn host(&mut self) -> &mut Host {
        &mut self.host
    }
}
