//! A database: how it is opened, what is in it, and what goes wrong with it.

use crate::backend::Mapped;
use crate::options::Options;
use iommap_guest::{ErrorKind, LockMode, LockWait, Locked, Mapping, OpenOptions};
use redb::{
    Builder, Database, DatabaseError, ReadOnlyTable, ReadableDatabase, TableDefinition, TableError,
};
use std::error::Error;
use std::{fs, io};

/// What went wrong, as a sentence.
pub(crate) type Failure = String;

/// The only table.
pub(crate) const RECORDS: TableDefinition<&str, &str> = TableDefinition::new("kv");

/// Opens a database that is there, and only reads it, as others may at the same time.
///
/// If it was not closed, because what wrote it last was killed, it has to be put in order, which
/// takes the right to write.
pub(crate) fn for_reading(options: &Options) -> Result<Box<dyn ReadableDatabase>, Failure> {
    let open = || Mapping::open(&options.database).map_err(|error| refused(options, &error));
    let lock = open()?;
    keep_out(options, &lock, LockMode::Shared)?;
    let mapped = Mapped { file: open()?, _lock: lock };
    match builder(options).open_read_only_with_backend(mapped) {
        Ok(database) => Ok(Box::new(database)),
        Err(DatabaseError::RepairAborted) => match for_writing(options) {
            Ok(database) => Ok(Box::new(database)),
            Err(error) => Err(format!("it was not closed, and can't be put in order: {error}")),
        },
        Err(error) => Err(failed(options, &error)),
    }
}

/// Opens a database that is there.
pub(crate) fn for_writing(options: &Options) -> Result<Database, Failure> {
    let lock = writable().open(&options.database).map_err(|error| refused(options, &error))?;
    keep_out(options, &lock, LockMode::Exclusive)?;
    open(options, &options.database, lock)
}

/// Opens a database, or makes an empty one.
pub(crate) fn or_create(options: &Options) -> Result<Database, Failure> {
    match writable().open(&options.database) {
        Ok(_) => for_writing(options),
        Err(error) if error.kind() == ErrorKind::Enoent => create(options),
        Err(error) => Err(refused(options, &error)),
    }
}

/// Makes an empty database under another name and renames it, so that nobody ever finds a file
/// that was only begun. A mapping is of the file, whatever its name, and so is its lock.
fn create(options: &Options) -> Result<Database, Failure> {
    let name = format!("{}.new", options.database);
    let lock = writable().create(true).open(&name).map_err(|error| refused(options, &error))?;
    keep_out(options, &lock, LockMode::Exclusive)?;
    if Mapping::open(&options.database).is_ok() {
        // Somebody else was quicker. What is of this name now is nobody's database.
        drop(lock);
        _ = fs::remove_file(&name);
        return for_writing(options);
    }
    // Whoever began it before came to no end.
    lock.set_len(0).map_err(|error| refused(options, &error))?;
    let database = open(options, &name, lock)?;
    fs::rename(&name, &options.database).map_err(|error| failed(options, &error))?;
    sync_entry(options)?;
    Ok(database)
}

/// Has the device keep the new name: else a loss of power would take it, and with it what was put in
/// and said to be there.
fn sync_entry(options: &Options) -> Result<(), Failure> {
    let database = writable().open(&options.database).map_err(|error| refused(options, &error))?;
    match database.sync_entry() {
        // A file system that can't: nobody could do more.
        Err(error) if error.kind() != ErrorKind::Enotsup => Err(error.to_string()),
        _ => Ok(()),
    }
}

fn writable() -> OpenOptions {
    let mut options = Mapping::options();
    options.read(true).write(true);
    options
}

/// Keeps other programs out, as long as there is the mapping: all, or those that write.
fn keep_out(options: &Options, lock: &Mapping, mode: LockMode) -> Result<(), Failure> {
    let Some(wait) = options.wait else { return Ok(()) };
    let database = &options.database;
    match lock.lock_range((0, 0), mode, LockWait::For(wait)) {
        Ok(Locked::Yes) => Ok(()),
        Ok(Locked::Busy | Locked::Deadlock) => {
            let whom = if mode == LockMode::Shared { "writes to it" } else { "uses it" };
            Err(format!("{database}: another program {whom}, and did so for {wait:?} (--wait)"))
        }
        Err(error) if error.kind() == ErrorKind::Enotsup => match mode {
            // A reader does no harm.
            LockMode::Shared => Ok(()),
            LockMode::Exclusive => Err(format!(
                "{database}: there are no locks that would keep a second writer out. The host \
                 grants them with `iommap run --limit locks=4 ...`; where nobody else uses the \
                 database, --no-lock does without"
            )),
        },
        Err(error) => Err(error.to_string()),
    }
}

fn open(options: &Options, name: &str, lock: Mapping) -> Result<Database, Failure> {
    let file = writable().open(name).map_err(|error| refused(options, &error))?;
    let opened = builder(options).create_with_backend(Mapped { file, _lock: lock });
    opened.map_err(|error| failed(options, &error))
}

fn builder(options: &Options) -> Builder {
    let mut builder = Database::builder();
    // By default it would take a gigabyte, a quarter of all that a guest can have.
    builder.set_cache_size(options.cache);
    builder
}

/// Why there is no mapping, and what can be done about it.
fn refused(options: &Options, error: &iommap_guest::Error) -> Failure {
    let why = match error.kind() {
        ErrorKind::Enoent => {
            "there is no such file, or no directory for it. Names are those that the component \
             sees: --dir HOST::GUEST shows the host's directory HOST as GUEST"
        }
        ErrorKind::Eacces => {
            "not granted, or read-only. A directory is granted with \
             `iommap run --dir DIR ...`, and a path may not leave it"
        }
        _ => return error.to_string(),
    };
    format!("{}: {why}", options.database)
}

/// What went wrong with the database. redb says of some errors only that there is one.
pub(crate) fn failed(options: &Options, error: &dyn Error) -> Failure {
    format!("{}: {error}", options.database)
}

pub(crate) fn output_failed(error: io::Error) -> Failure {
    format!("the output cannot be written: {error}")
}

/// The records as they are now; none if nothing was ever put in.
pub(crate) fn records(
    database: &dyn ReadableDatabase,
) -> Result<Option<ReadOnlyTable<&'static str, &'static str>>, redb::Error> {
    match database.begin_read()?.open_table(RECORDS) {
        Ok(table) => Ok(Some(table)),
        Err(TableError::TableDoesNotExist(_)) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// How long the file is.
pub(crate) fn length(options: &Options) -> Result<u64, Failure> {
    let length = Mapping::open(&options.database).and_then(|mapping| mapping.len());
    length.map_err(|error| error.to_string())
}
