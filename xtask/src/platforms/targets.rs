//! The targets, and how much of each can be had on a Linux machine.

/// One target.
pub(super) struct Target {
    pub(super) triple: &'static str,
    pub(super) system: &'static str,
    pub(super) processor: &'static str,
    pub(super) native: Native,
    /// The features that the host with wasmtime is checked with, where it can be.
    pub(super) host: Option<&'static str>,
    /// zig's name of the target, where only zig compiles C for it.
    pub(super) zig: Option<&'static str>,
    /// A quick run takes it.
    pub(super) quick: bool,
    /// What is not checked, and why.
    pub(super) note: &'static str,
}

/// What becomes of the native layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Native {
    /// Its tests run on this machine.
    TestedHere,
    /// Its tests run under qemu-user.
    TestedEmulated,
    /// Its tests run as programs of 32 bits on this machine's kernel, if that does so.
    TestedIn32Bits,
    /// It is built, with the guard's assembly, and that is all.
    Built,
}

/// All targets.
pub(super) const TARGETS: &[Target] = &[
    Target {
        triple: "x86_64-unknown-linux-gnu",
        system: "Linux",
        processor: "x86-64",
        native: Native::TestedHere,
        // `cargo xtask test` runs it.
        host: None,
        zig: None,
        quick: false,
        note: "",
    },
    Target {
        triple: "aarch64-unknown-linux-gnu",
        system: "Linux",
        processor: "aarch64",
        native: Native::TestedEmulated,
        host: Some("wasi"),
        zig: None,
        quick: true,
        note: "",
    },
    Target {
        triple: "i686-unknown-linux-gnu",
        system: "Linux",
        processor: "x86 (32 bits)",
        native: Native::TestedIn32Bits,
        host: None,
        zig: None,
        quick: false,
        note: "the native layer alone is meant for 32 bits: a mapping is at most 2 GiB, and a \
               longer file is `enomem`",
    },
    Target {
        triple: "armv7-unknown-linux-gnueabihf",
        system: "Linux",
        processor: "ARMv7 (32 bits)",
        native: Native::Built,
        host: None,
        zig: None,
        quick: false,
        note: "as for x86 with 32 bits",
    },
    Target {
        triple: "aarch64-apple-darwin",
        system: "macOS",
        processor: "aarch64",
        native: Native::Built,
        host: Some("wasi"),
        zig: Some("aarch64-macos"),
        quick: false,
        note: "",
    },
    Target {
        triple: "x86_64-apple-darwin",
        system: "macOS",
        processor: "x86-64",
        native: Native::Built,
        host: Some("wasi"),
        zig: Some("x86_64-macos"),
        quick: false,
        note: "",
    },
    Target {
        triple: "x86_64-unknown-freebsd",
        system: "FreeBSD",
        processor: "x86-64",
        native: Native::Built,
        host: Some("wasi"),
        zig: None,
        quick: true,
        note: "",
    },
    Target {
        triple: "aarch64-unknown-freebsd",
        system: "FreeBSD",
        processor: "aarch64",
        native: Native::Built,
        host: Some("wasi"),
        zig: None,
        quick: false,
        note: "",
    },
    Target {
        triple: "x86_64-unknown-openbsd",
        system: "OpenBSD",
        processor: "x86-64",
        native: Native::Built,
        host: Some("async"),
        zig: None,
        quick: false,
        note: "wasmtime-wasi 48 does not compile for OpenBSD: no `wasi`, no command line",
    },
    Target {
        triple: "aarch64-unknown-openbsd",
        system: "OpenBSD",
        processor: "aarch64",
        native: Native::Built,
        host: None,
        zig: None,
        quick: false,
        note: "wasmtime 48 does not compile for it: the native layer alone",
    },
];

/// The target of this name.
pub(super) fn named(triple: &str) -> Option<&'static Target> {
    TARGETS.iter().find(|target| target.triple == triple)
}
