//! What is written for x86-64: the copy, what it asks the processor, and the words.

pub(crate) mod copy;
mod processor;
pub(crate) mod words;

pub(crate) use processor::{chosen, detect, ways};
