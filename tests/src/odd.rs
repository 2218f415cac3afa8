//! A host that keeps to the canonical ABI, but asks a guest for memory in ways that ours doesn't.

use std::mem::MaybeUninit;
use std::result::Result as StdResult;
use std::sync::Arc;

use iommap::MappingHandle;
use wasmtime::component::__internal::{
    CanonicalAbiInfo, ComponentVariant, InstanceType, InterfaceType, LowerContext,
};
use wasmtime::component::{ComponentType, Linker, Lower, Resource};
use wasmtime::{Result, StoreContextMut, bail};

use crate::bindings::mmap::iommap::mmap::types::ErrorCode;
use crate::scene::{State, pattern};

/// A call of the guest's `realloc`.
#[derive(Clone, Copy, Debug)]
pub enum Step {
    /// For so many bytes, new ones.
    New(u32),
    /// For so many bytes, in place of those of the step before.
    Resize(u32),
}

/// How this host answers every `pread`, whatever is asked for.
#[derive(Clone, Debug)]
pub struct Odd {
    steps: Vec<Step>,
    answer: Answer,
}

#[derive(Clone, Debug)]
enum Answer {
    /// What lies in the memory of the last step.
    Bytes,
    /// `other`, with words or none.
    Other(Option<String>),
}

impl Odd {
    /// Returns a list in the memory of the last step.
    pub fn returns_bytes(steps: &[Step]) -> Odd {
        Odd { steps: steps.to_vec(), answer: Answer::Bytes }
    }

    /// Takes these steps, and then fails.
    pub fn fails(steps: &[Step], words: Option<&str>) -> Odd {
        Odd { steps: steps.to_vec(), answer: Answer::Other(words.map(str::to_owned)) }
    }

    /// What a list of this length holds.
    pub fn bytes(&self, length: usize) -> Vec<u8> {
        pattern(length)
    }

    /// Takes the place of `pread` in a linker.
    pub fn replace_pread(&self, linker: &mut Linker<State>) {
        let odd = Arc::new(self.clone());
        linker.allow_shadowing(true);
        linker
            .instance("iommap:mmap/types@0.1.0")
            .and_then(|mut types| {
                types.func_wrap(
                    "[method]mapping.pread",
                    move |_: StoreContextMut<'_, State>, _: (Resource<MappingHandle>, u64, u64)| {
                        Ok((Reply(odd.clone()),))
                    },
                )
            })
            .expect("a linker");
    }
}

type Bytes = StdResult<Vec<u8>, ErrorCode>;

/// Lowers itself by the host's steps.
struct Reply(Arc<Odd>);

// SAFETY: everything that describes the type is that of `Bytes`.
unsafe impl ComponentType for Reply {
    type Lower = <Bytes as ComponentType>::Lower;
    const ABI: CanonicalAbiInfo = <Bytes as ComponentType>::ABI;

    fn typecheck(ty: &InterfaceType, types: &InstanceType<'_>) -> Result<()> {
        <Bytes as ComponentType>::typecheck(ty, types)
    }
}

// SAFETY: `linear_lower_to_memory` writes what `Bytes` would, to memory that it was given.
unsafe impl Lower for Reply {
    fn linear_lower_to_flat<T>(
        &self,
        _: &mut LowerContext<'_, T>,
        _: InterfaceType,
        _: &mut MaybeUninit<Self::Lower>,
    ) -> Result<()> {
        bail!("has no flat form as a result")
    }

    fn linear_lower_to_memory<T>(
        &self,
        cx: &mut LowerContext<'_, T>,
        ty: InterfaceType,
        offset: usize,
    ) -> Result<()> {
        let (mut start, mut length) = (0, 0);
        for step in &self.0.steps {
            (start, length) = match *step {
                Step::New(size) => (cx.realloc(0, 0, 1, size as usize)?, size as usize),
                Step::Resize(size) => (cx.realloc(start, length, 1, size as usize)?, size as usize),
            };
            // What it was given is its to write to.
            cx.as_slice_mut()[start..start + length].fill(0xaa);
        }
        if let Answer::Other(words) = &self.0.answer {
            // The words get their memory as any string does.
            return Bytes::Err(ErrorCode::Other(words.clone()))
                .linear_lower_to_memory(cx, ty, offset);
        }
        let memory = cx.as_slice_mut();
        memory[start..start + length].copy_from_slice(&self.0.bytes(length));
        let payload = offset + <Bytes as ComponentVariant>::PAYLOAD_OFFSET32;
        memory[payload..payload + 4].copy_from_slice(&(start as u32).to_le_bytes());
        memory[payload + 4..payload + 8].copy_from_slice(&(length as u32).to_le_bytes());
        memory[offset] = 0;
        Ok(())
    }
}
