//! Holds the bindings that `iommap-guest` ships to the WIT in `wit/`: the build script generates
//! them anew and compares. It is a build script because what it reads the WIT with is built for the
//! other guests anyway, for a macro of theirs; for a test it would be compiled once more.
