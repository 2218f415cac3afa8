//! Builds the guests, so that plain `cargo test` has them. This crate is then compiled with their
//! paths in its environment, such as `GUEST_DRIVER`.

use anyhow::{Context, Result};

/// The guests that the tests run.
const NEEDED: [&str; 7] = ["driver", "geoip", "hammer", "kv", "lookup", "quickstart", "search"];

fn main() -> Result<()> {
    for input in xtask::guests::inputs()? {
        println!("cargo:rerun-if-changed={}", input.display());
    }
    // They decide where the toolchain is looked for.
    println!("cargo:rerun-if-env-changed=IOMMAP_CACHE");
    println!("cargo:rerun-if-env-changed=XDG_CACHE_HOME");

    let guests = xtask::guests::for_tests()?;
    for name in NEEDED {
        let guest = guests.iter().find(|guest| guest.name == name);
        let guest = guest.with_context(|| format!("nothing that was built is named {name}"))?;
        println!("cargo:rustc-env=GUEST_{}={}", name.to_uppercase(), guest.path.display());
    }
    Ok(())
}
