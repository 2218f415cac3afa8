//! How long the guarded copy takes, in each way that this machine has, as a multiple of `memcpy`.
//!
//! ```sh
//! cargo run --release -p iommap-guard --example ratio
//! ```
//!
//! Everything is measured in turns, many times, and each number is the median of its rounds'
//! ratios to the `memcpy` beside it. "hot" copies one place of a file again and again, "random" a
//! place of 256 MiB in the page cache, and "+16" to a buffer that far behind a page's border, as
//! an allocator gives them.

use std::fs::File;
use std::os::fd::AsRawFd;
use std::os::unix::fs::FileExt;
use std::time::Instant;

use iommap_guard::Variant;

const FILE: usize = 256 << 20;
const ROUNDS: usize = 31;

type Copy = Box<dyn Fn(*mut u8, *const u8, usize)>;

fn main() -> std::io::Result<()> {
    iommap_guard::install()?;
    let pages = map()?;
    let only: Vec<usize> = std::env::args().skip(1).filter_map(|size| size.parse().ok()).collect();
    let mut ways: Vec<(String, Copy)> = Vec::new();
    ways.push((
        "memcpy".into(),
        Box::new(|to, from, len| {
            // SAFETY: `row` passes places of the mapping and of its buffer.
            unsafe { from.copy_to_nonoverlapping(to, len) }
        }),
    ));
    ways.push((
        "copy".into(),
        Box::new(|to, from, len| {
            // SAFETY: as above.
            unsafe { iommap_guard::copy(to, from, len) }.expect("whole pages");
        }),
    ));
    for variant in Variant::all() {
        ways.push((
            format!("{variant:?}"),
            Box::new(move |to, from, len| {
                // SAFETY: as above.
                unsafe { variant.copy(to, from, len) }.expect("whole pages");
            }),
        ));
    }
    print!("{:>20}", "");
    ways.iter().for_each(|(name, _)| print!(" {:>12}", name.trim_start_matches("Variant")));
    println!("   (memcpy in ns, the others as multiples of it)");
    let sizes = [64, 256, 512, 1024, 2048, 4096, 8192, 16_384, 65_536, 1 << 20];
    for size in sizes.into_iter().filter(|size| only.is_empty() || only.contains(size)) {
        for (random, align) in [(false, 0), (false, 16), (true, 0), (true, 16)] {
            row(&ways, pages, size, random, align);
        }
    }
    Ok(())
}

/// A file of [`FILE`] bytes, all in the page cache.
fn map() -> std::io::Result<*const u8> {
    let path = std::env::temp_dir().join(format!("iommap-guard-ratio-{}", std::process::id()));
    let file = File::options().read(true).write(true).create_new(true).open(&path)?;
    std::fs::remove_file(&path)?;
    let piece: Vec<u8> = (0..1 << 20).map(|at| (at % 251) as u8).collect();
    for at in (0..FILE).step_by(piece.len()) {
        file.write_all_at(&piece, at as u64)?;
    }
    let flags = libc::MAP_SHARED | libc::MAP_POPULATE;
    // SAFETY: a new mapping, which is never taken away.
    let at = unsafe {
        libc::mmap(std::ptr::null_mut(), FILE, libc::PROT_READ, flags, file.as_raw_fd(), 0)
    };
    if at == libc::MAP_FAILED { Err(std::io::Error::last_os_error()) } else { Ok(at.cast()) }
}

fn row(ways: &[(String, Copy)], pages: *const u8, size: usize, random: bool, align: usize) {
    let copies = (4 << 20) / size.max(512);
    let mut buffer = vec![0_u8; size + 8192];
    let to = buffer.as_mut_ptr();
    // SAFETY: within the buffer.
    let to = unsafe { to.add(to.align_offset(4096) + align) };
    let mut seeded = fastrand::Rng::with_seed(1);
    let mut ratios = vec![Vec::new(); ways.len()];
    for round in 0..ROUNDS {
        let mut took = vec![0.0; ways.len()];
        for turn in 0..ways.len() {
            let way = (turn + round) % ways.len();
            let start = Instant::now();
            for _ in 0..copies {
                let place = if random { seeded.usize(..(FILE - size) / 4096) * 4096 } else { 8192 };
                // SAFETY: within the file.
                ways[way].1(to, unsafe { pages.add(place) }, size);
                std::hint::black_box(to);
            }
            took[way] = start.elapsed().as_nanos() as f64 / copies as f64;
        }
        for (way, took_way) in took.iter().enumerate() {
            ratios[way].push(if way == 0 { *took_way } else { took_way / took[0] });
        }
    }
    print!("{size:>8} {:>6} +{align:<3}", if random { "random" } else { "hot" });
    for ratios in &mut ratios {
        ratios.sort_by(f64::total_cmp);
        print!(" {:>12.2}", ratios[ROUNDS / 2]);
    }
    println!();
}
