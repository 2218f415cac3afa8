//! What it was measured on.

use std::fs;
use std::path::Path;
use std::process::Command;

/// The machine and the software, as lines of a table: what, and which.
pub(crate) fn describe(dir: &Path) -> Vec<(&'static str, String)> {
    let versions = format!(
        "iommap {}, wasmtime {}, wasmtime-wasi {}",
        env!("CARGO_PKG_VERSION"),
        locked("wasmtime"),
        locked("wasmtime-wasi"),
    );
    vec![
        ("processor", processor()),
        ("memory", memory()),
        ("system", format!("{} {}", kernel(), std::env::consts::ARCH)),
        ("file system", file_system(dir)),
        ("versions", versions),
        ("compiler", rustc()),
        (
            "build",
            "release: fat LTO, one codegen unit; `Config::concurrency_support(false)`".into(),
        ),
    ]
}

/// How busy the machine is: others' work makes every number here worse.
pub(crate) fn load() -> String {
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    load.split(' ').next().unwrap_or("unknown").to_owned()
}

fn processor() -> String {
    let about = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let field = |name: &str| {
        let line = about.lines().find(|line| line.starts_with(name))?;
        line.split_once(':').map(|(_, value)| value.trim())
    };
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let model = field("model name").unwrap_or("unknown");
    let family = match (field("cpu family"), field("model\t")) {
        (Some(family), Some(model)) => format!(" (family {family}, model {model})"),
        _ => String::new(),
    };
    let hypervisor = match field("flags") {
        Some(flags) if flags.split(' ').any(|flag| flag == "hypervisor") => ", virtual machine",
        _ => "",
    };
    format!("{model}{family}, {cores} cores{hypervisor}")
}

fn memory() -> String {
    let about = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let kib = about.split_whitespace().nth(1).and_then(|kib| kib.parse::<u64>().ok());
    kib.map_or_else(|| "unknown".into(), |kib| format!("{:.0} GiB", kib as f64 / (1 << 20) as f64))
}

fn kernel() -> String {
    let read = |name| fs::read_to_string(format!("/proc/sys/kernel/{name}")).unwrap_or_default();
    format!("{} {}", read("ostype").trim(), read("osrelease").trim())
}

/// The type of the mount that holds `dir`: the one with the longest path above it.
fn file_system(dir: &Path) -> String {
    let mounts = fs::read_to_string("/proc/mounts").unwrap_or_default();
    let dir = dir.canonicalize().unwrap_or_else(|_| dir.into());
    let above = mounts.lines().filter_map(|line| {
        let mut words = line.split(' ').skip(1);
        let (at, kind) = (Path::new(words.next()?), words.next()?);
        dir.starts_with(at).then(|| (at.as_os_str().len(), kind.to_owned()))
    });
    above.max_by_key(|(length, _)| *length).map_or_else(|| "unknown".into(), |(_, kind)| kind)
}

fn rustc() -> String {
    let output = Command::new("rustc").arg("--version").output();
    output.map_or_else(
        |_| "unknown".into(),
        |output| String::from_utf8_lossy(&output.stdout).trim().to_owned(),
    )
}

/// The version of a package in the lock file that this was built with.
fn locked(name: &str) -> &'static str {
    let lock = include_str!("../../Cargo.lock");
    let head = format!("name = \"{name}\"\nversion = \"");
    let version = lock.split_once(&head).and_then(|(_, rest)| rest.split('"').next());
    version.unwrap_or("unknown")
}
