//! Statistics of a model's tensors, by the crate `safetensors` as it is on crates.io, in a file that is
//! mapped by `memmap2`: in a component, and natively. No tensor is copied.

use memmap2::Mmap;
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use std::error::Error;
use std::fs::File;
use std::io::{Write, stdin, stdout};
use std::process::ExitCode;
use std::time::Instant;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

const USAGE: &str = "usage: mmap-tensors FILE (--bench | NAME... | < NAMES); `*` is every tensor";

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("mmap-tensors: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    let mut args = std::env::args().skip(1);
    let path = args.next().ok_or(USAGE)?;
    // SAFETY: models are replaced by renaming, and never written or cut.
    let model = unsafe { Mmap::map(&File::open(path)?) }?;
    let tensors = SafeTensors::deserialize(&model)?;
    let names: Vec<String> = args.collect();
    match names.first().map(String::as_str) {
        Some("--bench") => bench(&tensors),
        Some(_) => names.iter().try_for_each(|name| say(&tensors, name)),
        None => stdin().lines().try_for_each(|name| say(&tensors, name?.trim())),
    }
}

fn say(tensors: &SafeTensors<'_>, name: &str) -> Result<()> {
    let mut names = if name == "*" { tensors.names() } else { vec![name] };
    names.sort_unstable();
    for name in names {
        let tensor = tensors.tensor(name)?;
        let numbers = Numbers::of(&tensor)?;
        believe()?;
        let Numbers { count, min, max, sum, squares } = numbers;
        let (mean, rms) = (sum / count, (squares / count).sqrt());
        let (dtype, shape) = (tensor.dtype(), tensor.shape());
        writeln!(stdout(), "{name}\t{dtype:?} {shape:?}\t{min}..{max} mean {mean} rms {rms}")?;
    }
    Ok(())
}

/// Was all that was read in the file? `safetensors` reads a slice, and where a page was lost, zeros.
/// Elsewhere a lost page is a signal.
fn believe() -> Result<()> {
    #[cfg(target_arch = "wasm32")]
    if iommap_guest::lost() {
        return Err("the model was cut short while it was being read".into());
    }
    Ok(())
}

/// What a tensor's numbers amount to.
#[derive(Clone, Copy)]
struct Numbers {
    count: f64,
    min: f64,
    max: f64,
    sum: f64,
    squares: f64,
}

impl Numbers {
    fn of(tensor: &TensorView<'_>) -> Result<Numbers> {
        let bytes = tensor.data();
        Ok(match tensor.dtype() {
            Dtype::F32 => Numbers::each(bytes, |bytes| f32::from_le_bytes(bytes).into()),
            Dtype::F64 => Numbers::each(bytes, f64::from_le_bytes),
            // The upper half of one of 32 bits.
            Dtype::BF16 => {
                Numbers::each(bytes, |[low, high]| f32::from_le_bytes([0, 0, low, high]).into())
            }
            Dtype::I64 => Numbers::each(bytes, |bytes| i64::from_le_bytes(bytes) as f64),
            Dtype::U8 => Numbers::each(bytes, |[byte]| byte.into()),
            other => return Err(format!("there are no statistics of {other:?} here").into()),
        })
    }

    /// In the order of the file, so that the sums are the same everywhere.
    fn each<const N: usize>(bytes: &[u8], number: impl Fn([u8; N]) -> f64) -> Numbers {
        let (numbers, _) = bytes.as_chunks();
        let mut all = Numbers {
            count: numbers.len() as f64,
            min: f64::INFINITY,
            max: f64::NEG_INFINITY,
            sum: 0.0,
            squares: 0.0,
        };
        for bytes in numbers {
            let number = number(*bytes);
            all.min = all.min.min(number);
            all.max = all.max.max(number);
            all.sum += number;
            all.squares += number * number;
        }
        all
    }
}

/// Reads all of the model: the best of five times, and what its numbers amount to.
fn bench(tensors: &SafeTensors<'_>) -> Result<()> {
    let mut names = tensors.names();
    names.sort_unstable();
    let (mut best, mut sum, mut bytes) = (f64::MAX, 0.0, 0);
    for _ in 0..5 {
        let start = Instant::now();
        (sum, bytes) = (0.0, 0);
        for name in &names {
            let tensor = tensors.tensor(name)?;
            bytes += tensor.data().len();
            sum += Numbers::of(&tensor)?.squares;
        }
        best = best.min(start.elapsed().as_secs_f64());
    }
    believe()?;
    let rate = bytes as f64 / best.max(1e-9) / 1e6;
    println!("{} tensors: {rate:.0} MB a second; {bytes} bytes, {sum:.6}", tensors.len());
    Ok(())
}
