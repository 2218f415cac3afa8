//! C programs that map files by mmap(2): what `mman/build.sh` makes compiles them, and this machine's
//! own compiler the same programs, to hold them to.

use crate::languages::{
    COMPONENTIZE_C, Others, c_files, componentize_c, made, one_line, zig_shell,
};
use crate::tools::{SetUp, content, installed};
use crate::{Guest, root, target_dir};
use anyhow::{Context, Result, ensure};
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use xshell::{Shell, cmd};

/// Their names: one exists for tests, and the others are Debian's, as they are.
pub(crate) const PROGRAMS: [&str; 3] = ["mman", "tinycdb", "qdbm"];

/// Where the sources of one of Debian's are, which its mirrors have. They are not committed.
///
/// # Errors
///
/// They are not there and can't be had: it says why.
fn debian(package: &str, set_up: SetUp) -> Result<PathBuf> {
    let script = "ci/debian-source.sh";
    let name = format!("source-{package}");
    let dir = installed(&name, &[script.to_owned()], set_up, |dir| {
        let mut command = Command::new(root().join(script));
        let output = command.arg(package).arg(dir).output().context(script)?;
        ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        Ok(())
    })?;
    Ok(dir.join(package))
}

/// Builds the guests.
pub(crate) fn build(tools: &Path, set_up: SetUp, others: &mut Others) -> Result<()> {
    for name in PROGRAMS {
        let sources = match sources(name, set_up) {
            Ok(sources) => sources,
            Err(why) => {
                others.missing.push((name, one_line(&why)));
                continue;
            }
        };
        let library = ["mman", "wit", COMPONENTIZE_C].map(|path| root().join(path));
        let made_of = [&library[..], &sources.made_of].concat();
        let path = made(name, &made_of, tools, |work, new| {
            let sh = zig_shell()?;
            sh.set_var("ZIG", tools.join("ziglang/zig"));
            sh.set_var("COMPONENTIZE_C", componentize_c()?);
            let (library, sdk, module) =
                (root().join("mman/build.sh"), work.join("sdk"), work.join("module"));
            cmd!(sh, "{library} {sdk}").quiet().run()?;
            sources.compile(&sh, &sdk.join("bin/cc"), &module)?;
            let component = sdk.join("bin/component");
            Ok(cmd!(sh, "{component} {module} {new}").quiet().run()?)
        });
        let path = path.with_context(|| format!("{name} was not built"))?;
        others.guests.push(Guest { name: name.to_owned(), path });
    }
    Ok(())
}

/// One of the programs as this machine's own C compiler makes it: what the guest is held to.
///
/// # Errors
///
/// Its sources are not there, or there is no C compiler, or it does not compile.
pub fn native_c(name: &str) -> Result<PathBuf> {
    let dir = target_dir().join("languages/native");
    fs::create_dir_all(&dir)?;
    let lock = fs::File::create(dir.join("lock"))?;
    lock.lock()?;
    let (program, note) = (dir.join(name), dir.join(name).with_extension("input"));
    let (sources, compiler) = (sources(name, SetUp::Forbidden)?, env::var_os("CC"));
    let compiler = PathBuf::from(compiler.unwrap_or_else(|| "cc".into()));
    let input = format!("{} {}", content(&sources.made_of)?, compiler.display());
    if !program.exists() || fs::read_to_string(&note).ok().as_ref() != Some(&input) {
        sources.compile(&Shell::new()?, &compiler, &program)?;
        fs::write(note, input)?;
    }
    Ok(program)
}

struct Sources<'a> {
    name: &'a str,
    dir: PathBuf,
    made_of: Vec<PathBuf>,
}

fn sources(name: &str, set_up: SetUp) -> Result<Sources<'_>> {
    let dir = root().join("tests/mman");
    if name == "mman" {
        return Ok(Sources { name, made_of: vec![dir.clone()], dir });
    }
    let (dir, sample) = (debian(name, set_up)?, root().join("guest-example").join(name));
    Ok(Sources { name, made_of: vec![dir.clone(), sample], dir })
}

impl Sources<'_> {
    fn compile(&self, sh: &Shell, compiler: &Path, program: &Path) -> Result<()> {
        let dir = &self.dir;
        let compiled = if self.name == "mman" {
            let (files, strict) = (c_files(dir)?, ["-Wall", "-Wextra", "-Werror"]);
            cmd!(sh, "{compiler} -O2 -D_GNU_SOURCE {strict...} {files...} -o {program}")
        } else {
            let script = root().join("guest-example").join(self.name).join("build.sh");
            cmd!(sh, "{script} {dir} {compiler} {program}")
        };
        Ok(compiled.quiet().run()?)
    }
}
