//! Descriptors of WASI's, by name.

use crate::bindings::iommap::mmap::types::AccessMode;
use iommap_commands::{Bad, Words};
use iommap_guest::Mapping;
use std::collections::HashMap;
use std::fs::{self, File};
use wasip2::filesystem::preopens::get_directories;
use wasip2::filesystem::types::{Descriptor, DescriptorFlags, OpenFlags, PathFlags};

/// What is open through WASI.
#[derive(Default)]
pub(crate) struct Descriptors(HashMap<String, Descriptor>);

impl Descriptors {
    /// Opens a file, or says what WASI said.
    pub(crate) fn open(
        &mut self,
        fd: String,
        path: &str,
        flags: &str,
    ) -> Result<Result<(), String>, Bad> {
        let (mut how, mut mode) = (OpenFlags::empty(), DescriptorFlags::empty());
        for flag in flags.split(',') {
            match flag {
                "read" => mode |= DescriptorFlags::READ,
                "write" => mode |= DescriptorFlags::WRITE,
                "create" => how |= OpenFlags::CREATE,
                "truncate" => how |= OpenFlags::TRUNCATE,
                "directory" => how |= OpenFlags::DIRECTORY,
                _ => return Err(Bad(format!("{flag:?} is no flag"))),
            }
        }
        let directories = get_directories();
        let found = directories.iter().find_map(|(directory, name)| {
            let rest = path.strip_prefix(name.as_str())?.trim_start_matches('/');
            Some((directory, if rest.is_empty() { "." } else { rest }))
        });
        let (directory, rest) = found.ok_or_else(|| Bad("no directory has this name".into()))?;
        Ok(match directory.open_at(PathFlags::SYMLINK_FOLLOW, rest, how, mode) {
            Ok(descriptor) => {
                self.0.insert(fd, descriptor);
                Ok(())
            }
            Err(error) => Err(error.name().into()),
        })
    }

    pub(crate) fn get(&self, fd: &str) -> Result<&Descriptor, Bad> {
        self.0.get(fd).ok_or_else(|| Bad(format!("there is no descriptor {fd:?}")))
    }

    pub(crate) fn drop(&mut self, fd: &str) -> Result<(), Bad> {
        self.get(fd)?;
        self.0.remove(fd);
        Ok(())
    }
}

/// A handle that was given back.
pub(crate) fn stale() -> std::mem::ManuallyDrop<Descriptor> {
    let handle = get_directories().swap_remove(0).0.handle();
    // SAFETY: none, that is the point: the handle is dropped by now. Nothing in this guest's
    // memory depends on it, and it is not dropped again.
    std::mem::ManuallyDrop::new(unsafe { Descriptor::from_handle(handle) })
}

/// Opens a file with `std`, puts another in its place if one is named, maps what is open, and reads
/// all of it.
pub(crate) fn std(
    path: &str,
    mode: AccessMode,
    mut words: Words,
) -> Result<Result<Vec<u8>, String>, Bad> {
    let failed = |error: std::io::Error| Bad(error.to_string());
    let file = File::open(path).map_err(failed)?;
    let mut options = Mapping::options();
    options.read(true).write(mode != AccessMode::Read);
    while let Some(word) = words.optional_text()? {
        match (&*word, word.strip_prefix("size=")) {
            ("private", _) => _ = options.private(true),
            (_, Some(size)) => _ = options.size(size.parse().map_err(|_| Bad(word.clone()))?),
            (other, None) => fs::rename(other, path).map_err(failed)?,
        }
    }
    let mapped = options.map_file(&file, path);
    drop(file);
    let bytes = mapped.and_then(|mapping| {
        let mut bytes = vec![0; mapping.len()? as usize];
        mapping.read_exact_at(0, &mut bytes)?;
        Ok(bytes)
    });
    Ok(bytes.map_err(|error| error.to_string()))
}
