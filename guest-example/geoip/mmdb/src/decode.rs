//! From bytes to values.
//!
//! Each value begins with a control byte: three bits of type, five of size, with more of either in
//! the bytes that follow. A pointer stands for the value at another place of the same section.

use crate::{Error, Source, Value};

/// How deep values may lie in values. What is published has fewer than ten levels.
const DEPTH: u32 = 64;

/// How many values one record may have, however often pointers lead to the same ones.
const VALUES: u32 = 1 << 16;

/// How many bytes of text and of bytes one record may have.
const BYTES: u64 = 2 << 20;

/// What is read at a time. Most records are shorter.
const WINDOW: usize = 256;

/// A part of the file that pointers are relative to, by its first offset and the one past it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Section {
    pub(crate) start: u64,
    pub(crate) end: u64,
}

/// Decodes the value at an offset of the file.
pub(crate) fn value<S: Source>(
    source: &S,
    section: Section,
    at: u64,
) -> Result<Value, Error<S::Error>> {
    let window = [0; WINDOW];
    let mut decoder =
        Decoder { source, section, window, from: 0, length: 0, at, values: VALUES, bytes: BYTES };
    decoder.value(0)
}

struct Decoder<'a, S> {
    source: &'a S,
    section: Section,
    /// `length` bytes of the file, those from offset `from` on.
    window: [u8; WINDOW],
    from: u64,
    length: usize,
    /// The offset in the file of what is decoded next.
    at: u64,
    /// What is left of the two limits.
    values: u32,
    bytes: u64,
}

/// What follows a control byte.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Pointer,
    String,
    Double,
    Bytes,
    U16,
    U32,
    Map,
    I32,
    U64,
    U128,
    Array,
    Bool,
    Float,
}

impl<S: Source> Decoder<'_, S> {
    /// The value at `self.at`, or the one that a pointer there leads to. Afterwards `self.at` is
    /// behind it, or behind the pointer.
    fn value(&mut self, depth: u32) -> Result<Value, Error<S::Error>> {
        let start = self.at;
        self.values = self.values.checked_sub(1).ok_or(Error::TooLarge { offset: start })?;
        if depth > DEPTH {
            return Err(Error::TooLarge { offset: start });
        }
        let (kind, size) = self.control()?;
        if kind != Kind::Pointer {
            return self.payload(kind, size, start, depth);
        }
        let (target, behind) = (self.pointer(size)?, self.at);
        self.at = target;
        let (kind, size) = self.control()?;
        if kind == Kind::Pointer {
            return Err(invalid("a pointer leads to a pointer", target));
        }
        let value = self.payload(kind, size, target, depth)?;
        self.at = behind;
        Ok(value)
    }

    /// What a control byte says: the type, and the size or, for a pointer, its five bits.
    fn control(&mut self) -> Result<(Kind, u32), Error<S::Error>> {
        let start = self.at;
        let [control] = self.take()?;
        let kind = match control >> 5 {
            0 => match self.take()? {
                [1] => Kind::I32,
                [2] => Kind::U64,
                [3] => Kind::U128,
                [4] => Kind::Array,
                [7] => Kind::Bool,
                [8] => Kind::Float,
                _ => return Err(invalid("a value of no known type", start)),
            },
            1 => return Ok((Kind::Pointer, u32::from(control & 31))),
            2 => Kind::String,
            3 => Kind::Double,
            4 => Kind::Bytes,
            5 => Kind::U16,
            6 => Kind::U32,
            _ => Kind::Map,
        };
        let size = match control & 31 {
            29 => 29 + self.number::<1>()?,
            30 => 285 + self.number::<2>()?,
            31 => 65_821 + self.number::<3>()?,
            size => u32::from(size),
        };
        Ok((kind, size))
    }

    /// The offset in the file that a pointer leads to.
    fn pointer(&mut self, bits: u32) -> Result<u64, Error<S::Error>> {
        let (start, high) = (self.at, bits & 7);
        let offset = match bits >> 3 {
            0 => (high << 8) + self.number::<1>()?,
            1 => (high << 16) + self.number::<2>()? + 2_048,
            2 => (high << 24) + self.number::<3>()? + 526_336,
            _ => self.number::<4>()?,
        };
        let target = self.section.start + u64::from(offset);
        if target >= self.section.end {
            return Err(invalid("a pointer leads out of its section", start));
        }
        Ok(target)
    }

    fn payload(
        &mut self,
        kind: Kind,
        size: u32,
        start: u64,
        depth: u32,
    ) -> Result<Value, Error<S::Error>> {
        // Of a container, `size` is how many there are in it, which nothing is allocated by.
        Ok(match kind {
            Kind::Map => {
                let mut entries = Vec::new();
                for _ in 0..size {
                    let name_at = self.at;
                    let Value::String(name) = self.value(depth + 1)? else {
                        return Err(invalid("a name in a map is not text", name_at));
                    };
                    entries.push((name, self.value(depth + 1)?));
                }
                Value::Map(entries)
            }
            Kind::Array => {
                let mut values = Vec::new();
                for _ in 0..size {
                    values.push(self.value(depth + 1)?);
                }
                Value::Array(values)
            }
            Kind::String => Value::String(
                String::from_utf8(self.long(size)?)
                    .map_err(|_| invalid("text that is not UTF-8", start))?,
            ),
            Kind::Bytes => Value::Bytes(self.long(size)?),
            Kind::Bool if size <= 1 => Value::Bool(size == 1),
            Kind::U16 => Value::U16(self.integer(size, 2, start)? as u16),
            Kind::U32 => Value::U32(self.integer(size, 4, start)? as u32),
            // Fewer than four bytes are a small positive number.
            Kind::I32 => Value::I32(self.integer(size, 4, start)? as u32 as i32),
            Kind::U64 => Value::U64(self.integer(size, 8, start)? as u64),
            Kind::U128 => Value::U128(self.integer(size, 16, start)?),
            Kind::Float if size == 4 => Value::Float(f32::from_be_bytes(self.take()?)),
            Kind::Double if size == 8 => Value::Double(f64::from_be_bytes(self.take()?)),
            Kind::Bool | Kind::Float | Kind::Double | Kind::Pointer => {
                return Err(invalid("a value of a size that its type doesn't have", start));
            }
        })
    }

    /// An integer of `size` bytes, the most significant first.
    fn integer(&mut self, size: u32, most: u32, start: u64) -> Result<u128, Error<S::Error>> {
        if size > most {
            return Err(invalid("an integer with too many bytes", start));
        }
        let mut bytes = [0; 16];
        self.fill(&mut bytes[16 - size as usize..])?;
        Ok(u128::from_be_bytes(bytes))
    }

    fn number<const N: usize>(&mut self) -> Result<u32, Error<S::Error>> {
        let mut bytes = [0; 4];
        self.fill(&mut bytes[4 - N..])?;
        Ok(u32::from_be_bytes(bytes))
    }

    /// Text or bytes: the only ones whose size is not known to be small.
    fn long(&mut self, size: u32) -> Result<Vec<u8>, Error<S::Error>> {
        let offset = self.at;
        self.bytes = self.bytes.checked_sub(size.into()).ok_or(Error::TooLarge { offset })?;
        self.room(size.into())?;
        let mut bytes = vec![0; size as usize];
        self.fill(&mut bytes)?;
        Ok(bytes)
    }

    fn take<const N: usize>(&mut self) -> Result<[u8; N], Error<S::Error>> {
        let mut bytes = [0; N];
        self.fill(&mut bytes)?;
        Ok(bytes)
    }

    fn room(&self, length: u64) -> Result<(), Error<S::Error>> {
        match self.section.end.checked_sub(self.at) {
            Some(rest) if rest >= length => Ok(()),
            _ => Err(invalid("a value runs past the end of its section", self.at)),
        }
    }

    /// The next bytes, from the window where they are in it.
    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), Error<S::Error>> {
        let length = bytes.len() as u64;
        self.room(length)?;
        let there = self.from..self.from + self.length as u64;
        if !(there.contains(&self.at) && self.at + length <= there.end) {
            if bytes.len() > WINDOW {
                self.source.read_at(self.at, bytes).map_err(Error::Source)?;
                self.at += length;
                return Ok(());
            }
            self.length = (self.section.end - self.at).min(WINDOW as u64) as usize;
            self.from = self.at;
            let window = &mut self.window[..self.length];
            // Should it fail, nothing is in it.
            self.length = 0;
            self.source.read_at(self.at, window).map_err(Error::Source)?;
            self.length = window.len();
        }
        let start = (self.at - self.from) as usize;
        bytes.copy_from_slice(&self.window[start..start + bytes.len()]);
        self.at += length;
        Ok(())
    }
}

fn invalid<E>(what: &'static str, offset: u64) -> Error<E> {
    Error::Invalid { what, offset }
}

#[cfg(test)]
mod tests;
