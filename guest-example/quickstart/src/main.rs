//! Every operation of iommap once, then every error that a component can bring about by itself,
//! each with what the host answered. Ends with 1 if an answer was not the expected one.
//!
//! Read [`operations`] for how it is used.

mod transcript;

mod bindings {
    #![allow(missing_docs, unreachable_pub)] // generated
    wit_bindgen::generate!({ path: "wit", world: "imports" });
}

use std::path::Path;
use std::process::ExitCode;

use bindings::iommap::mmap::batch::{Range, pread_many, pwrite_many};
use bindings::iommap::mmap::types::{AccessMode, Advice, ErrorCode, Mapping, OpenFlags, SyncMode};
use transcript::{Broken, Transcript};

const HELP: &str = "\
Uses every operation of iommap once and shows every error that a component can cause by itself.

Usage: quickstart [FILE]

FILE must not exist yet. It is created, written to, and removed at the end.
[default: /data/quickstart.bin, so grant a directory as /data: --dir HOST::/data]

Exit status: 0 if every answer was the expected one.
";

/// A multiple of every usual page size, so that the errors below hit whole pages.
const SIZE: u64 = 64 * 1024;

fn main() -> ExitCode {
    let path = match std::env::args().nth(1) {
        Some(option) if option.starts_with('-') => {
            print!("{HELP}");
            return if matches!(&*option, "-h" | "--help") { 0 } else { 1 }.into();
        }
        Some(path) => path,
        None => "/data/quickstart.bin".into(),
    };
    let mut log = Transcript::default();

    log.title(&format!("Creating {path}"));
    let create = OpenFlags::SHARED | OpenFlags::CREATE | OpenFlags::EXCLUSIVE;
    let opened = Mapping::open(&path, AccessMode::ReadWrite, create, Some(SIZE));
    if let Err(error) = &opened {
        eprintln!("{}", why_not(&path, error));
    }
    let what = "open(.., read-write, shared+create+exclusive, size 65536)";
    let Ok(mapping) = log.ok(what, opened) else { return ExitCode::FAILURE };

    // From here on there is a file to remove, whatever happens.
    let _ = operations(&mut log, mapping).and_then(|()| errors(&mut log, &path));
    log.title("Tidying up");
    let _ = log.ok("remove the file, through WASI", std::fs::remove_file(&path));
    log.finish()
}

fn why_not(path: &str, error: &ErrorCode) -> String {
    match error {
        ErrorCode::Eexist => format!("{path} exists, and is left alone: name a file that doesn't."),
        ErrorCode::Enoent | ErrorCode::Eacces => format!(
            "{path} cannot be created: grant its directory for writing, such as with\n  \
             iommap run --dir .::/data quickstart.wasm"
        ),
        _ => format!("{path} cannot be created."),
    }
}

/// What a mapping can do. Each step either gives what it should or ends the tour.
fn operations(log: &mut Transcript, mapping: Mapping) -> Result<(), Broken> {
    log.title("Writing and reading");
    log.ok("pwrite(100, \"hello, mapped world\")", mapping.pwrite(100, b"hello, mapped world"))?;
    let bytes = log.ok("pread(107, 6)", mapping.pread(107, 6))?;
    log.same("the bytes", &bytes[..], b"mapped")?;

    log.title("Several ranges in one call");
    let ranges = [Range { offset: 0, length: 3 }, Range { offset: SIZE - 3, length: 3 }];
    log.ok("pwrite-many([0+3, 65533+3], \"onetwo\")", pwrite_many(&mapping, &ranges, b"onetwo"))?;
    let bytes = log.ok("pread-many([0+3, 65533+3])", pread_many(&mapping, &ranges))?;
    log.same("the bytes", &bytes[..], b"onetwo")?;

    log.title("To the device");
    log.ok("sync(async)", mapping.sync(SyncMode::Async))?;
    log.ok("sync-range(100, 19, sync)", mapping.sync_range(100, 19, SyncMode::Sync))?;
    log.ok("sync(sync)", mapping.sync(SyncMode::Sync))?;

    log.title("Resizing");
    log.ok("truncate(2 * 65536)", mapping.truncate(2 * SIZE))?;
    let size = log.ok("position()", mapping.position())?;
    log.same("the size", &size, &(2 * SIZE))?;
    let bytes = log.ok("pread(65533, 6)", mapping.pread(SIZE - 3, 6))?;
    log.same("the old end, and zeros", &bytes[..], b"two\0\0\0")?;
    log.ok("truncate(65536)", mapping.truncate(SIZE))?;
    let size = log.ok("position()", mapping.position())?;
    log.same("the size", &size, &SIZE)?;

    log.title("Hints");
    for (name, hint) in [
        ("random", Advice::Random),
        ("sequential", Advice::Sequential),
        ("willneed", Advice::Willneed),
        ("dontneed", Advice::Dontneed),
        ("normal", Advice::Normal),
    ] {
        log.ok(&format!("advise(0, 0, {name})"), mapping.advise(0, 0, hint))?;
    }
    let bytes = log.ok("pread(100, 5)", mapping.pread(100, 5))?;
    log.same("no hint changes a byte", &bytes[..], b"hello")?;

    log.title("Closing");
    log.ok("close()", mapping.close())?;
    log.err("close() again", mapping.close(), &[ErrorCode::Closed])?;
    log.err("pread(0, 1)", mapping.pread(0, 1), &[ErrorCode::Closed])
}

/// What goes wrong, and how it is told.
fn errors(log: &mut Transcript, path: &str) -> Result<(), Broken> {
    use AccessMode::{Read, ReadWrite, Write};
    let shared = OpenFlags::SHARED;
    let directory = match Path::new(path).parent().and_then(Path::to_str) {
        None | Some("") => ".",
        Some(directory) => directory,
    };

    log.title("Arguments that contradict each other");
    let both = OpenFlags::SHARED | OpenFlags::PRIVATE;
    let opened = Mapping::open(path, Read, both, None);
    log.err("open(.., shared+private)", opened, &[ErrorCode::Badarg])?;

    log.title("Names");
    let missing = format!("{path}.missing");
    let opened = Mapping::open(&missing, Read, shared, None);
    log.err(&format!("open({missing:?}, read)"), opened, &[ErrorCode::Enoent])?;
    let opened = Mapping::open(directory, Read, shared, None);
    log.err(&format!("open({directory:?}, read)"), opened, &[ErrorCode::Enotreg])?;
    let create = OpenFlags::CREATE | OpenFlags::EXCLUSIVE;
    let opened = Mapping::open(path, ReadWrite, create, None);
    log.err("open(.., create+exclusive), the file is there", opened, &[ErrorCode::Eexist])?;

    log.title("What was not granted");
    let outside = format!("{directory}/../../../../../etc/passwd");
    let opened = Mapping::open(&outside, Read, shared, None);
    log.err(&format!("open({outside:?}, read)"), opened, &[ErrorCode::Eacces])?;
    let reader = log.ok("open(.., read)", Mapping::open(path, Read, shared, None))?;
    log.err("pwrite(0, \"x\")", reader.pwrite(0, b"x"), &[ErrorCode::Eacces])?;
    log.err("truncate(0)", reader.truncate(0), &[ErrorCode::Eacces])?;
    let writer = log.ok("open(.., write)", Mapping::open(path, Write, shared, None))?;
    log.err("pread(0, 1)", writer.pread(0, 1), &[ErrorCode::Eacces])?;

    log.title("Ranges that are not in the mapping");
    log.err("pread(65530, 7)", reader.pread(SIZE - 6, 7), &[ErrorCode::OutOfBounds])?;
    log.err("pread(2^64-1, 2^64-1)", reader.pread(!0, !0), &[ErrorCode::OutOfBounds])?;
    log.err("pwrite(65536, \"x\")", writer.pwrite(SIZE, b"x"), &[ErrorCode::OutOfBounds])?;

    log.title("A size that is too much");
    // A host that sets no limit leaves it to the file system to refuse.
    let too_much = [ErrorCode::LimitExceeded, ErrorCode::Efbig];
    log.err("truncate(2^64-1)", writer.truncate(!0), &too_much)?;

    log.title("A file that is cut under a mapping");
    log.ok("truncate(0) through the one mapping", writer.truncate(0))?;
    log.err("pread(0, 1) through the other", reader.pread(0, 1), &[ErrorCode::Sigbus])?;
    log.ok("truncate(65536) brings the file back", writer.truncate(SIZE))?;
    let bytes = log.ok("pread(0, 4) through the other", reader.pread(0, 4))?;
    log.same("new and empty", &bytes[..], b"\0\0\0\0")?;

    log.note("enomem, enospc, emfile, enotsup, eio and other depend on the machine: not shown.");
    Ok(())
}
