//! What a lost page costs: by the copy, which says so, and in a window, which is covered, with more
//! and more windows in the process.
//!
//! ```sh
//! cargo run --release -p iommap-guard --example lost
//! ```
//!
//! Medians, in microseconds: the touch of the lost page alone, from the fault until the program
//! goes on.

#[cfg(all(target_os = "linux", any(target_arch = "aarch64", target_arch = "x86_64")))]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    windows::main()
}

#[cfg(not(all(target_os = "linux", any(target_arch = "aarch64", target_arch = "x86_64"))))]
fn main() {
    println!("there are no windows here");
}

#[cfg(all(target_os = "linux", any(target_arch = "aarch64", target_arch = "x86_64")))]
mod windows {
    use std::fs::File;
    use std::io;
    use std::os::fd::AsRawFd;
    use std::ptr;
    use std::time::Instant;

    use iommap_guard::watch::{self, Watch};

    const TIMES: usize = 2001;
    /// Of a window.
    const UNIT: usize = 64 * 1024;

    pub(super) fn main() -> Result<(), Box<dyn std::error::Error>> {
        iommap_guard::install()?;
        let path = std::env::temp_dir().join(format!("iommap-guard-lost-{}", std::process::id()));
        let file = File::options().read(true).write(true).create_new(true).open(&path)?;
        std::fs::remove_file(&path)?;
        let most = 8000;
        let place = map(ptr::null_mut(), most * UNIT, None)?;
        let at = |n: usize| place.wrapping_byte_add(n * UNIT);

        // The file is empty, so its page is lost from the start.
        let lost = map(ptr::null_mut(), UNIT, Some(&file))?;
        let mut to = 0;
        let copied = median(|| {
            let start = Instant::now();
            // SAFETY: a byte, and one of the mapping.
            let result = unsafe { iommap_guard::copy(&raw mut to, lost, 1) };
            assert!(result.is_err());
            Ok(start.elapsed())
        })?;
        println!("by the copy                  {copied:6.2} µs");

        println!("the kernel says what is mapped where: {}", watch::exact());
        let mut watches = Vec::new();
        for windows in [1, 100, 1000, most] {
            while watches.len() < windows {
                let at = at(watches.len());
                map(at, UNIT / 2, Some(&file))?;
                // SAFETY: the place is ours, and stays.
                watches.push(unsafe { Watch::new(at.addr()..at.addr() + UNIT, 1) }?);
            }
            let mut turn = 0;
            let covered = median(|| {
                turn = (turn + 7919) % windows;
                let at = at(turn);
                map(at, UNIT / 2, Some(&file))?;
                // SAFETY: as above; nobody touched it.
                unsafe { watches[turn].renew() };
                let start = Instant::now();
                // SAFETY: mapped.
                let zero = unsafe { at.read_volatile() };
                let took = start.elapsed();
                assert_eq!((zero, watches[turn].lost()), (0, 1));
                Ok(took)
            })?;
            println!("in a window, of {windows:5}        {covered:6.2} µs");
            let made = median(|| {
                let at = at(0);
                watches.swap_remove(0);
                let start = Instant::now();
                // SAFETY: as above.
                watches.push(unsafe { Watch::new(at.addr()..at.addr() + UNIT, 1) }?);
                let last = watches.len() - 1;
                watches.swap(0, last);
                Ok(start.elapsed())
            })?;
            println!("  to watch one more          {made:6.2} µs");
        }
        Ok(())
    }

    fn median(
        mut once: impl FnMut() -> Result<std::time::Duration, Box<dyn std::error::Error>>,
    ) -> Result<f64, Box<dyn std::error::Error>> {
        let mut took = (0..TIMES).map(|_| once()).collect::<Result<Vec<_>, _>>()?;
        took.sort();
        Ok(took[TIMES / 2].as_secs_f64() * 1e6)
    }

    fn map(at: *mut u8, len: usize, file: Option<&File>) -> io::Result<*mut u8> {
        let anonymous = if file.is_some() { 0 } else { libc::MAP_ANONYMOUS };
        let fixed = if at.is_null() { 0 } else { libc::MAP_FIXED };
        let flags = libc::MAP_PRIVATE | libc::MAP_NORESERVE | anonymous | fixed;
        let protection = libc::PROT_READ | libc::PROT_WRITE;
        // SAFETY: a new mapping, or one over a place of ours.
        let at = unsafe {
            libc::mmap(at.cast(), len, protection, flags, file.map_or(-1, File::as_raw_fd), 0)
        };
        if at == libc::MAP_FAILED { Err(io::Error::last_os_error()) } else { Ok(at.cast()) }
    }
}
