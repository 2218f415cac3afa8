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
       componentize-c [OPTIONS] -o COMPONENT.wasm --module MODULE.wasm
       componentize-c [OPTIONS] --bindings

Options:
      --wit PATH     a WIT file or directory; those that others depend on come first [default: wit]
      --world WORLD  the world that the component is for [default: the only one]. What is generated
                     for it, WORLD.h and WORLD.c, goes to the directory `bindings` in DIR
  -I, --include DIR  where headers and other sources are looked for; may be repeated
      --work DIR     where to put what is made on the way [default: build]
      --reactor      the component has no `main`: it only exports what its world says
      --module PATH  make a component of a module that is there already, with its world in it
      --bindings     only generate what is generated for the world
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
    make: Make,
}

enum Make {
    Bindings,
    Component { output: PathBuf, of: From },
}

enum From {
    Module(PathBuf),
    Sources(Vec<PathBuf>),
}

fn main() -> Result<()> {
    let Some(options) = parse(lexopt::Parser::from_env())? else {
        print!("{HELP}");
        return Ok(());
    };
    let bindings = options.work.join("bindings");
    let (output, module) = match &options.make {
        Make::Bindings => return write_bindings(&options, &bindings).map(drop),
        Make::Component { output, of: From::Module(path) } => {
            let module = fs::read(path);
            (output, module.with_context(|| format!("cannot read {}", path.display()))?)
        }
        Make::Component { output, of: From::Sources(sources) } => {
            let world = write_bindings(&options, &bindings)?;
            (output, compile(&options, sources, &world, &bindings)?)
        }
    };
    let component = encode(&module, options.reactor)?;
    fs::write(output, component).with_context(|| format!("cannot write {}", output.display()))
}

fn parse(mut args: lexopt::Parser) -> Result<Option<Options>> {
    let (mut wit, mut include, mut sources) = (Vec::new(), Vec::new(), Vec::new());
    let (mut world, mut work, mut output) = (None, PathBuf::from("build"), None);
    let (mut reactor, mut zig) = (false, (PathBuf::from("zig"), &[][..]));
    let (mut module, mut bindings) = (None, false);
    while let Some(arg) = args.next()? {
        match arg {
            Long("wit") => wit.push(args.value()?.into()),
            Short('I') | Long("include") => include.push(args.value()?.into()),
            Long("world") => world = Some(args.value()?.string()?),
            Long("work") => work = args.value()?.into(),
            Long("reactor") => reactor = true,
            Long("module") => module = Some(args.value()?.into()),
            Long("bindings") => bindings = true,
            Long("zig") => zig = (args.value()?.into(), &[]),
            Long("python") => zig = (args.value()?.into(), &["-m", "ziglang"]),
            Short('o') | Long("output") => output = Some(args.value()?.into()),
            Short('h') | Long("help") => return Ok(None),
            Value(source) => sources.push(source.into()),
            unknown => return Err(unknown.unexpected().into()),
        }
    }
    if wit.is_empty() {
        wit.push("wit".into());
    }
    ensure!(module.is_none() || sources.is_empty(), "--module or a SOURCE.c, not both");
    let make = if bindings {
        Make::Bindings
    } else {
        ensure!(module.is_some() || !sources.is_empty(), "a SOURCE.c is needed");
        let of = module.map_or(From::Sources(sources), From::Module);
        Make::Component { output: output.context("--output is needed")?, of }
    };
    Ok(Some(Options { wit, include, world, work, reactor, zig, make }))
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
fn compile(
    options: &Options,
    sources: &[PathBuf],
    world: &str,
    bindings: &Path,
) -> Result<Vec<u8>> {
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
    ]);
    if options.reactor {
        zig.arg("-mexec-model=reactor");
    }
    for dir in &options.include {
        zig.arg("-I").arg(dir);
    }
    zig.arg("-I").arg(bindings).args(sources);
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
