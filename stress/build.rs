//! Builds the guest `hammer`; its path is in this crate's environment as `GUEST_HAMMER`.

use anyhow::{Context, Result};

fn main() -> Result<()> {
    for input in xtask::guests::inputs()? {
        println!("cargo:rerun-if-changed={}", input.display());
    }
    println!("cargo:rerun-if-env-changed=IOMMAP_CACHE");
    let guests = xtask::guests::for_tests()?;
    let hammer = guests.iter().find(|guest| guest.name == "hammer").context("no guest `hammer`")?;
    println!("cargo:rustc-env=GUEST_HAMMER={}", hammer.path.display());
    Ok(())
}
