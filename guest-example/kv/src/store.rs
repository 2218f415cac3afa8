//! A database: how it is opened, what is in it, and what goes wrong with it.

use crate::backend::Mapped;
use crate::options::Options;
use iommap_guest::{ErrorKind, Mapping};
use redb::{
    Builder, Database, DatabaseError, ReadOnlyTable, ReadableDatabase, TableDefinition, TableError,
};
use std::error::Error;
use std::{fs, io};

/// What went wrong, as a sentence.
pub(crate) type Failure = String;

/// The only table.
pub(crate) const RECORDS: TableDefinition<&str, &str> = TableDefinition::new("kv");

/// Opens a database that is there, and only reads it.
///
/// If it was not closed, because what wrote it last was killed, it has to be put in order, which
/// takes the right to write.
pub(crate) fn for_reading(options: &Options) -> Result<Box<dyn ReadableDatabase>, Failure> {
    let mapping = Mapping::open(&options.database).map_err(|error| refused(options, &error))?;
    match builder(options).open_read_only_with_backend(Mapped(mapping)) {
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
    let mapping = Mapping::options().read(true).write(true).open(&options.database);
    let mapping = mapping.map_err(|error| refused(options, &error))?;
    open(options, mapping)
}

/// Opens a database, or makes an empty one.
pub(crate) fn or_create(options: &Options) -> Result<Database, Failure> {
    match Mapping::options().read(true).write(true).open(&options.database) {
        Ok(mapping) => open(options, mapping),
        Err(error) if error.kind() == ErrorKind::Enoent => create(options),
        Err(error) => Err(refused(options, &error)),
    }
}

/// Makes an empty database under another name and renames it, so that nobody ever finds a file
/// that was only begun. A mapping is of the file, whatever its name.
fn create(options: &Options) -> Result<Database, Failure> {
    let name = format!("{}.new", options.database);
    let mapping = Mapping::options().read(true).write(true).create(true).truncate(true).open(&name);
    let database = open(options, mapping.map_err(|error| refused(options, &error))?)?;
    fs::rename(&name, &options.database).map_err(|error| failed(options, &error))?;
    Ok(database)
}

fn open(options: &Options, mapping: Mapping) -> Result<Database, Failure> {
    let opened = builder(options).create_with_backend(Mapped(mapping));
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
