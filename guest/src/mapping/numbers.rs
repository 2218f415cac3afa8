//! Arrays and numbers at an offset.

use crate::{Error, Mapping};

/// Methods that read a number, by their names.
macro_rules! numbers {
    ($($name:ident: $type:ident, $from:ident, $order:literal;)*) => {$(
        #[doc = concat!("The `", stringify!($type), "` at `offset`, ", $order, ".")]
        ///
        /// # Errors
        ///
        /// Those of [`read_exact_at`](Mapping::read_exact_at).
        pub fn $name(&self, offset: u64) -> Result<$type, Error> {
            self.read_array(offset).map($type::$from)
        }
    )*};
}

/// Arrays and numbers, each read by one call into the host. For numbers of other types,
/// [`read_array`](Mapping::read_array) and their own `from_le_bytes` do.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let dir = tempfile::tempdir()?;
/// # let path = dir.path().join("index");
/// # std::fs::write(&path, b"IDX1\x05\0\0\0\0\0\0\0\0\0\x80\x3f")?;
/// use iommap_guest::Mapping;
///
/// let index = Mapping::open(&path)?;
/// assert_eq!(&index.read_array::<4>(0)?, b"IDX1");
/// assert_eq!(index.u64_le_at(4)?, 5);
/// assert_eq!(f32::from_le_bytes(index.read_array(12)?), 1.0);
/// # Ok(())
/// # }
/// ```
impl Mapping {
    /// The `N` bytes from `offset` on.
    ///
    /// # Errors
    ///
    /// Those of [`read_exact_at`](Mapping::read_exact_at).
    pub fn read_array<const N: usize>(&self, offset: u64) -> Result<[u8; N], Error> {
        let mut bytes = [0; N];
        self.read_exact_at(offset, &mut bytes)?;
        Ok(bytes)
    }

    numbers! {
        u16_le_at: u16, from_le_bytes, "its least byte first";
        u32_le_at: u32, from_le_bytes, "its least byte first";
        u64_le_at: u64, from_le_bytes, "its least byte first";
        u16_be_at: u16, from_be_bytes, "its greatest byte first";
        u32_be_at: u32, from_be_bytes, "its greatest byte first";
        u64_be_at: u64, from_be_bytes, "its greatest byte first";
    }
}
