//! Makes a component of a program in C: bindings by wit-bindgen, a module by zig's clang and its
//! wasi-libc, a component by wit-component. `componentize-c --help` says how it is used.

use anyhow::{Context, Result, bail, ensure};
use lexopt::prelude::*;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use wasi_preview1_component_adapter_provider::{
    WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME as ADAPTER_NAME,
    WASI_SNAPSHOT_PREVIEW1_COMMAND_ADAPTER as COMMAND_ADAPTER,
    WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER as REACTOR_ADAPTER,
};
use wit_bindgen_core::{Files, wit_parser::Resolve};
use wit_component::ComponentEncoder;

const HELP: &str = "\
Makes a component of a program in C.

Usage: componentize-c [OPTIONS] -o COMPONENT.wasm SOURCE.c...

Options:
      --wit PATH     a WIT file or directory; those that others depend on come first [default: wit]
      --world WORLD  the world that the component is for [default: the only one]. What is generated
                     for it, WORLD.h and WORLD.c, goes to the directory `bindings` in DIR
  -I, --include DIR  where headers and other sources are looked for; may be repeated
      --work DIR     where to put what is made on the way [default: build]
      --reactor      the component has no `main`: it only exports what its world says
      --zig PATH     zig, version 0.17.1 [default: zig]
      --python PATH  the zig of this Python, which `pip install ziglang` brings
  -o, --output PATH  the component
  -h, --help         this text
";

struct Options {
    wit: Vec<PathBuf>,
    include: Vec<PathBuf>,
    world: Option<String>,
    work: PathBuf,
    reactor: bool,
    /// The program, and what comes first among its arguments.
    zig: (PathBuf, &'static [&'static str]),
    output: PathBuf,
    sources: Vec<PathBuf>,
}

fn main() -> Result<()> {
    let Some(options) = parse(lexopt::Parser::from_env())? else {
        print!("{HELP}");
        return Ok(());
    };
    let bindings = options.work.join("bindings");
    let world = write_bindings(&options, &bindings)?;
    let module = compile(&options, &world, &bindings)?;
    let component = encode(&module, options.reactor)?;
    fs::write(&options.output, component)
        .with_context(|| format!("cannot write {}", options.output.display()))
}

fn parse(mut args: lexopt::Parser) -> Result<Option<Options>> {
    let (mut wit, mut include, mut sources) = (Vec::new(), Vec::new(), Vec::new());
    let (mut world, mut work, mut output) = (None, PathBuf::from("build"), None);
    let (mut reactor, mut zig) = (false, (PathBuf::from("zig"), &[][..]));
    while let Some(arg) = args.next()? {
        match arg {
            Long("wit") => wit.push(args.value()?.into()),
            Short('I') | Long("include") => include.push(args.value()?.into()),
            Long("world") => world = Some(args.value()?.string()?),
            Long("work") => work = args.value()?.into(),
            Long("reactor") => reactor = true,
            Long("zig") => zig = (args.value()?.into(), &[]),
            Long("python") => zig = (args.value()?.into(), &["-m", "ziglang"]),
            Short('o') | Long("output") => output = Some(args.value()?.into()),
            Short('h') | Long("help") => return Ok(None),
            Value(source) => sources.push(source.into()),
            unknown => return Err(unknown.unexpected().into()),
        }
    }
    ensure!(!sources.is_empty(), "a SOURCE.c is needed");
    if wit.is_empty() {
        wit.push("wit".into());
    }
    let output = output.context("--output is needed")?;
    Ok(Some(Options { wit, include, world, work, reactor, zig, output, sources }))
}

/// What wit-bindgen makes of the world: a header, a source, and an object file that holds the
/// world's type. Returns the world's name.
fn write_bindings(options: &Options, dir: &Path) -> Result<String> {
    let mut resolve = Resolve::default();
    // The last one is what the world is named in.
    let mut package = None;
    for path in &options.wit {
        let (id, _) = resolve.push_path(path)?;
        package = Some(id);
    }
    let package = package.context("no WIT")?;
    let world = resolve.select_world(&[package], options.world.as_deref())?;
    let name = resolve.worlds[world].name.clone();
    let mut files = Files::default();
    wit_bindgen_c::Opts::default().build().generate(&mut resolve, world, &mut files)?;
    fs::create_dir_all(dir).with_context(|| format!("cannot create {}", dir.display()))?;
    for (file, content) in files.iter() {
        fs::write(dir.join(file), content).with_context(|| format!("cannot write {file}"))?;
    }
    Ok(name)
}

/// The module.
fn compile(options: &Options, world: &str, bindings: &Path) -> Result<Vec<u8>> {
    let output = options.work.join("module.wasm");
    let name = world.replace('-', "_");
    let (program, first) = &options.zig;
    let mut zig = Command::new(program);
    zig.args(*first).args([
        "cc",
        "-target",
        "wasm32-wasi",
        "-std=gnu17",
        "-O2",
        "-Wall",
        "-Wextra",
        "-Werror",
    ]);
    if options.reactor {
        zig.arg("-mexec-model=reactor");
    }
    for dir in &options.include {
        zig.arg("-I").arg(dir);
    }
    zig.arg("-I").arg(bindings).args(&options.sources);
    zig.arg(bindings.join(format!("{name}.c")));
    zig.arg(bindings.join(format!("{name}_component_type.o")));
    zig.args(["-Wl,--strip-debug", "-o"]).arg(&output);
    let status = zig.status().with_context(|| {
        format!("cannot run {}: `pip install ziglang` brings it", program.display())
    })?;
    if !status.success() {
        let args: Vec<OsString> = zig.get_args().map(ToOwned::to_owned).collect();
        bail!("zig failed ({status}): {args:?}");
    }
    fs::read(&output).with_context(|| format!("cannot read {}", output.display()))
}

/// The component: the module, and the adapter that makes WASI 0.2 of its WASI preview 1.
fn encode(module: &[u8], reactor: bool) -> Result<Vec<u8>> {
    let adapter = if reactor { REACTOR_ADAPTER } else { COMMAND_ADAPTER };
    ComponentEncoder::default()
        .module(module)?
        .validate(true)
        .adapter(ADAPTER_NAME, adapter)?
        .encode()
}
