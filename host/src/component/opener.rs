//! What a call that opens a mapping takes of a context.

use super::Getter;
use crate::component::IommapCtx;
use crate::grants::Grants;
use crate::usage::Usage;
use std::sync::Arc;
use wasmtime::Result;

/// What an `open` takes of a context: it may wait where the store can't be reached.
#[derive(Clone)]
pub(super) struct Opener {
    pub(super) grants: Arc<Grants>,
    pub(super) usage: Arc<Usage>,
    #[cfg(feature = "async")]
    pub(super) may_block: bool,
}

impl From<&IommapCtx> for Opener {
    fn from(ctx: &IommapCtx) -> Opener {
        Opener {
            grants: ctx.grants.clone(),
            usage: ctx.usage().clone(),
            #[cfg(feature = "async")]
            may_block: ctx.allow_blocking_current_thread,
        }
    }
}

/// How an `open` finds its context.
pub(super) type Find<T> = Arc<dyn Fn(&mut T) -> Result<Opener> + Send + Sync>;

/// The context that is in the store.
pub(super) fn find_own<T: 'static>(get: Getter<T>) -> Find<T> {
    Arc::new(move |data| Ok(Opener::from(&*get(data).ctx)))
}
