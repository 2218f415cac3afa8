//! The command line as users meet it: what it prints, and what it ends with. The components here
//! are a few lines of text each; those that map files are run by the tests in `tests/`.

mod compile;
mod crash;
mod ending;
mod imports;
mod memory;
mod mistakes;
mod place;
mod run;
mod said;
