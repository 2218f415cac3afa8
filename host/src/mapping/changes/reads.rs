//! Reads that end where the mapping does, and such as are refused where the file ends before them.

use crate::error::{Error, ErrorKind};
use crate::mapping::mapped::Mapped;
use crate::mapping::range::Range;

impl Mapped {
    /// What of a range can be read at once: up to the mapping's end, and not more than a call may
    /// move. It lies inside the mapping.
    pub(crate) fn up_to(&self, Range { offset, length }: Range) -> Result<Range, Error> {
        // Nothing, but whoever may not read is told so.
        self.check_read(0, 0)?;
        let len = self.len()?;
        let offset = offset.min(len);
        let length = length.min(len - offset);
        let limit = self.usage().limits().call_bytes;
        if limit == 0 {
            // To return nothing would say that the end is here.
            self.usage().check_call(length)?;
        }
        // A call's list has a length of 32 bits.
        let length = length.min(limit).min(u32::MAX.into());
        self.check_read(offset, length)?;
        Ok(Range { offset, length })
    }

    /// Would a strict read of this range be allowed?
    pub(crate) fn check_strict(&self, Range { offset, length }: Range) -> Result<(), Error> {
        self.check_read(offset, length)?;
        self.opened()?.known_file().map(drop)
    }

    /// A strict read, of which the bytes are returned.
    #[cfg(feature = "async")]
    pub(crate) fn read_strict(&self, range: Range) -> Result<Vec<u8>, Error> {
        self.check_strict(range)?;
        // A list's length is 32 bits wide, unlike a limit.
        let length = u32::try_from(range.length).map_err(|_| ErrorKind::LimitExceeded)? as usize;
        let mut bytes = Vec::new();
        bytes.try_reserve_exact(length).map_err(|_| ErrorKind::Enomem)?;
        bytes.resize(length, 0);
        self.read(range.offset, &mut bytes)?;
        self.check_reached(range)?;
        Ok(bytes)
    }

    /// After the bytes of a range were copied: does the file have all of them?
    ///
    /// Whoever asks before copying knows nothing of the moment of the copy. Asked afterwards, a file
    /// that was too short then still is, unless somebody has made it longer in between.
    pub(crate) fn check_reached(&self, Range { offset, length }: Range) -> Result<(), Error> {
        // The range lies in the mapping, and so its end is a number.
        if length > 0 && self.file_len()? < offset.saturating_add(length) {
            self.usage().count_fault();
            return Err(Error::because(ErrorKind::Sigbus, "the file ends inside the range"));
        }
        Ok(())
    }
}
