//! Builds the guests, so that plain `cargo test` has them. This crate is then compiled with their
//! paths in its environment, such as `GUEST_DRIVER`.

use anyhow::{Context, Result};

/// The guests that the tests run.
const NEEDED: [&str; 10] =
    ["bare", "driver", "geoip", "hammer", "kv", "last", "lookup", "quickstart", "rustic", "search"];

fn main() -> Result<()> {
    for input in xtask::guests::inputs()?.into_iter().chain(xtask::languages::inputs()?) {
        println!("cargo:rerun-if-changed={}", input.display());
    }
    // They decide where the toolchain is looked for.
    println!("cargo:rerun-if-env-changed=IOMMAP_CACHE");
    println!("cargo:rerun-if-env-changed=XDG_CACHE_HOME");
    println!("cargo:rerun-if-env-changed=IOMMAP_LANGUAGES");

    let guests = xtask::guests::for_tests()?;
    for name in NEEDED {
        let guest = guests.iter().find(|guest| guest.name == name);
        let guest = guest.with_context(|| format!("nothing that was built is named {name}"))?;
        println!("cargo:rustc-env=GUEST_{}={}", name.to_uppercase(), guest.path.display());
    }
    // Without the tools of a language, the tests say what they skip, and why.
    let others = xtask::languages::for_tests()?;
    for guest in others.guests {
        let name = guest.name.to_uppercase().replace('-', "_");
        println!("cargo:rustc-env=GUEST_{name}={}", guest.path.display());
    }
    for (language, why) in others.skipped {
        println!("cargo:rustc-env=SKIPPED_{}={why}", language.to_string().to_uppercase());
    }
    Ok(())
}
