//! A guest in a store of its own, and its loops.

use crate::embedding::State;
use crate::offsets::{Params, Work};
use clap::ValueEnum;
use std::marker::PhantomData;
use wasmtime::component::{Instance, TypedFunc};
use wasmtime::{Result, Store};

/// A guest whose exports are the loops of `L` by their names, `peek` and `poke`.
pub(crate) struct Guest<L> {
    store: Store<State>,
    loops: Vec<TypedFunc<Params, (u64,)>>,
    peek: TypedFunc<(), (Vec<u8>,)>,
    poke: TypedFunc<(Vec<u8>,), ()>,
    /// Forgets what was allocated, where the guest has no allocator that does.
    reset: Option<TypedFunc<(), ()>>,
    which: PhantomData<L>,
}

impl<L: ValueEnum> Guest<L> {
    pub(crate) fn new(mut store: Store<State>, instance: &Instance) -> Result<Guest<L>> {
        let loops = L::value_variants()
            .iter()
            .map(|each| instance.get_typed_func(&mut store, name(each)))
            .collect::<Result<_>>()?;
        let peek = instance.get_typed_func(&mut store, "peek")?;
        let poke = instance.get_typed_func(&mut store, "poke")?;
        let reset = instance.get_typed_func(&mut store, "reset").ok();
        Ok(Guest { store, loops, peek, poke, reset, which: PhantomData })
    }

    /// Runs the loop of this number and returns the state of its generator.
    pub(crate) fn run(&mut self, which: usize, work: Work) -> Result<u64> {
        Ok(self.loops[which].call(&mut self.store, work.params())?.0)
    }

    /// What the last operation read.
    pub(crate) fn peek(&mut self) -> Result<Vec<u8>> {
        Ok(self.peek.call(&mut self.store, ())?.0)
    }

    /// What the next operations write.
    pub(crate) fn poke(&mut self, data: &[u8]) -> Result<()> {
        if let Some(reset) = self.reset {
            reset.call(&mut self.store, ())?;
        }
        self.poke.call(&mut self.store, (data.to_vec(),))
    }
}

/// The name of a loop's export.
pub(crate) fn name(each: &impl ValueEnum) -> String {
    each.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
}
