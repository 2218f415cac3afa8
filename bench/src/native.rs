//! What there is without wasm: `memcpy` from a map of the file, and system calls.

use crate::cases::LONGEST_BATCH;
use crate::loops::BATCH;
use crate::offsets::{Work, each};
use memmap2::{Advice, MmapMut, MmapOptions, MmapRaw};
use rustix::mm::{MsyncFlags, msync};
use std::fs::File;
use std::hint::black_box;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use wasmtime::Result;

/// A map of the file, the file, and a buffer like the guest's heap: page-aligned, used again by
/// every operation.
pub(crate) struct Native {
    path: PathBuf,
    file: File,
    map: MmapRaw,
    buffer: MmapMut,
    /// As long as what a batched call returns.
    batch: MmapMut,
}

/// How many bytes the buffer has: the longest operation.
const BUFFER_BYTES: usize = 1 << 20;

impl Native {
    pub(crate) fn new(path: &Path) -> Result<Native> {
        let file = File::options().read(true).write(true).open(path)?;
        let map = MmapOptions::new().map_raw(&file)?;
        map.advise(Advice::PopulateRead)?;
        let mut buffer = MmapMut::map_anon(BUFFER_BYTES)?;
        buffer.fill(1);
        let mut batch = MmapMut::map_anon(LONGEST_BATCH as usize)?;
        batch.fill(1);
        Ok(Native { path: path.into(), file, map, buffer, batch })
    }

    /// What the last operation read.
    pub(crate) fn peek(&self, bytes: usize) -> Vec<u8> {
        self.buffer[..bytes].to_vec()
    }

    /// What the last batch read.
    pub(crate) fn peek_many(&self, bytes: usize) -> Vec<u8> {
        self.batch[..bytes].to_vec()
    }

    /// What the next operations write.
    pub(crate) fn poke(&mut self, data: &[u8]) {
        self.buffer[..data.len()].copy_from_slice(data);
    }

    /// The file, for those who check what was written.
    pub(crate) fn file(&self) -> &File {
        &self.file
    }

    pub(crate) fn copy_out(&mut self, work: Work) -> u64 {
        let (map, buffer, size) = self.parts(work);
        each(work, |offset| {
            // SAFETY: `parts` checked that every operation lies inside both, and they are apart.
            // Nobody cuts the file.
            unsafe { map.add(offset as usize).copy_to_nonoverlapping(buffer, size) };
            black_box(buffer);
        })
    }

    /// The same as a batched call has to: each piece behind the one before, so that a batch takes
    /// more of the processor's cache than one buffer that is used again.
    pub(crate) fn copy_out_many(&mut self, work: Work) -> u64 {
        let (map, _, size) = self.parts(work);
        let batch = &mut self.batch[..size * BATCH as usize];
        let (start, end) = (batch.as_mut_ptr(), batch.len());
        let mut at = 0;
        each(Work { count: work.count * BATCH, ..work }, |offset| {
            // SAFETY: as for `copy_out`; `at` goes by whole pieces and begins again at the end.
            unsafe { map.add(offset as usize).copy_to_nonoverlapping(start.add(at), size) };
            black_box(start);
            at += size;
            if at == end {
                at = 0;
            }
        })
    }

    pub(crate) fn copy_in(&mut self, work: Work) -> u64 {
        let (map, buffer, size) = self.parts(work);
        each(work, |offset| {
            black_box(buffer);
            // SAFETY: as for `copy_out`.
            unsafe { map.add(offset as usize).copy_from_nonoverlapping(buffer, size) };
        })
    }

    /// `copy_in` and `msync` of what was written.
    pub(crate) fn copy_in_and_sync(&mut self, work: Work) -> Result<u64> {
        let (map, buffer, size) = self.parts(work);
        try_each(work, |offset| {
            // SAFETY: as for `copy_out`; `mask` puts every offset on a page of the map.
            let synced = unsafe {
                let page = map.add(offset as usize);
                page.copy_from_nonoverlapping(buffer, size);
                msync(page.cast(), size, MsyncFlags::SYNC)
            };
            Ok(synced?)
        })
    }

    /// The map, the buffer and the size of an operation, all of which lie inside both.
    fn parts(&mut self, work: Work) -> (*mut u8, *mut u8, usize) {
        let size = work.size as usize;
        let end = work.mask.checked_add(work.size.into());
        assert!(end.is_some_and(|end| end <= self.map.len() as u64) && size <= self.buffer.len());
        (self.map.as_mut_ptr(), self.buffer.as_mut_ptr(), black_box(size))
    }

    pub(crate) fn pread(&mut self, work: Work) -> Result<u64> {
        let target = &mut self.buffer[..work.size as usize];
        try_each(work, |offset| self.file.read_exact_at(target, offset))
    }

    pub(crate) fn pwrite(&self, work: Work) -> Result<u64> {
        let data = &self.buffer[..work.size as usize];
        try_each(work, |offset| self.file.write_all_at(data, offset))
    }

    /// `pwrite` and `fdatasync`.
    pub(crate) fn pwrite_and_sync(&self, work: Work) -> Result<u64> {
        let data = &self.buffer[..work.size as usize];
        try_each(work, |offset| {
            self.file.write_all_at(data, offset)?;
            self.file.sync_data()
        })
    }

    /// `open` and `close`, and between them `mmap` and `munmap` if `map` says so.
    pub(crate) fn open(&self, work: Work, map: bool) -> Result<u64> {
        try_each(work, |_| {
            let file = File::open(&self.path)?;
            if map { MmapOptions::new().map_raw_read_only(&file).map(drop) } else { Ok(()) }
        })
    }
}

/// Does an operation at each offset, and returns the generator's last state, or the last error.
#[inline(always)]
fn try_each(work: Work, mut operation: impl FnMut(u64) -> io::Result<()>) -> Result<u64> {
    let mut result = Ok(());
    let x = each(work, |offset| {
        if let Err(error) = operation(offset) {
            result = Err(error);
        }
    });
    result?;
    Ok(x)
}
