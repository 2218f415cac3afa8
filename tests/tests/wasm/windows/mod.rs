//! Windows: pages of files in a guest's own memory.
//!
//! What loses pages, or uses up what a process has, runs in a process of its own.

mod changing;
mod engines;
mod loads;
mod lost;
mod memories;
mod moves;
mod refused;
mod stores;
