//! Holds the bindings that `iommap-guest` ships to the WIT in `wit/`: the build script generates
//! them anew and compares. It is a build script because the generator is built for the other
//! guests anyway, whose macro it is; for a test it would be compiled once more.
