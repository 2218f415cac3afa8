//! Makes components of core modules that are written by hand in WAT. What they import and export is
//! said in WIT, beside that of the tree, so that no type is typed twice.
//!
//! ```
//! # fn main() -> anyhow::Result<()> {
//! let wit = "
//!     package iommap:test;
//!     world adder { export add: func(a: u32, b: u32) -> u32; }
//! ";
//! let module = r#"
//!     (module
//!       (func (export "add") (param i32 i32) (result i32)
//!         (i32.add (local.get 0) (local.get 1))))
//! "#;
//! let component = iommap_wat::component(&[wit], "iommap:test/adder", module)?;
//! assert!(component.starts_with(b"\0asm"));
//! # Ok(())
//! # }
//! ```

use anyhow::{Context, Result};
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::{Resolve, TypeDefKind};

/// `iommap:mmap`, all of it.
pub const MMAP: &str = concat!(
    include_str!("../../../wit/iommap.wit"),
    include_str!("../../../wit/windows.wit"),
    include_str!("../../../wit/storage.wit"),
);

/// `iommap:wasi`, and what it needs of WASI's.
pub const WASI: &str = include_str!("../../../wit/wasi/iommap-wasi.wit");

/// A component: `module` in `world`, which stands in one of the packages that are given in WIT, each
/// after those that it uses. [`MMAP`] is there already.
///
/// The module exports its `memory` and a `cabi_realloc`, if it imports anything, and names its
/// imports and exports as the canonical ABI does: `"iommap:mmap/types@0.1.0" "[method]mapping.pread"`.
pub fn component(wit: &[&str], world: &str, module: &str) -> Result<Vec<u8>> {
    let mut resolve = Resolve::default();
    let mut packages = vec![resolve.push_source("iommap.wit", MMAP)?];
    for text in wit {
        packages.push(resolve.push_source("given.wit", text)?);
    }
    let world = resolve.select_world(&packages, Some(world))?;
    let mut module = wat::parse_str(module).context("the core module")?;
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8)?;
    ComponentEncoder::default().validate(true).module(&module)?.encode()
}

/// The names of the cases of `error-code`, in their order.
pub fn error_codes() -> Result<Vec<String>> {
    let mut resolve = Resolve::default();
    let package = resolve.push_source("iommap.wit", MMAP)?;
    let types = resolve.packages[package].interfaces["types"];
    let code = resolve.interfaces[types].types["error-code"];
    let TypeDefKind::Variant(code) = &resolve.types[code].kind else {
        anyhow::bail!("`error-code` is no variant")
    };
    Ok(code.cases.iter().map(|case| case.name.clone()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn error_codes_are_in_the_interfaces_order() {
        let codes = error_codes().unwrap();
        assert_eq!(
            (&*codes[0], &*codes[6], codes.last().unwrap().as_str()),
            ("badarg", "sigbus", "other")
        );
    }

    #[test]
    fn a_module_that_is_not_what_its_world_says_is_refused() {
        let wit = "package iommap:test; world w { export f: func() -> u32; }";
        assert!(component(&[wit], "iommap:test/w", "(module)").is_err());
        let other = r#"(module (func (export "f") (result i64) (i64.const 0)))"#;
        assert!(component(&[wit], "iommap:test/w", other).is_err());
    }
}
