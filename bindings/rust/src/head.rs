//! The head of a file: whether it is a checkpoint, in a known version, and as long as it says.
//! Reading it needs only the first few kilobytes and trusts none of them. It comes before
//! everything else, because a newer version may give other fields another meaning.

use crate::error::{Error, Result};
use crate::generated::lightwatch::format::Checkpoint;
use crate::quote::quote;
use crate::tables::ErrorCode;
use crate::tables::{self, rule, FLATBUFFER_LIMIT, FORMAT_VERSION, IDENTIFIER, MIN_BUFFER_LENGTH};

/// Bytes of the first read.
pub(crate) const HEAD_LENGTH: usize = tables::HEAD_LENGTH as usize;

#[derive(Debug)]
pub(crate) struct Head {
    /// In bytes.
    pub(crate) metadata_length: usize,
    /// CRC-32 of the metadata, with the checksum's own four bytes taken as zero.
    pub(crate) metadata_crc32: u32,
    /// Position of the checksum, in bytes; all of it lies within the metadata.
    pub(crate) crc_offset: usize,
}

/// Reads the head of a file of `file_length` bytes. `start` holds its first HEAD_LENGTH bytes, or
/// all of them if it is shorter.
pub(crate) fn read_head(start: &[u8], file_length: u64) -> Result<Head> {
    check_identifier(start, file_length)?;
    if file_length < MIN_BUFFER_LENGTH {
        return Err(Error::new(
            ErrorCode::FileLength,
            format!(
                "the file was cut short: it begins like a checkpoint, but ends after {file_length} \
                 bytes"
            ),
        ));
    }
    let root = RootTable::find(&start[..start.len().min(HEAD_LENGTH)], file_length)?;

    let version = root.u32(Checkpoint::VT_VERSION, "version")?;
    if version > FORMAT_VERSION {
        return Err(Error::new(
            ErrorCode::Version,
            format!(
                "the file has format version {version}, and this crate reads up to version \
                 {FORMAT_VERSION}: update lightwatch-checkpoint"
            ),
        ));
    }
    if version == 0 {
        return Err(Error::format(
            rule::VERSION,
            "the file has format version 0, which does not exist",
        ));
    }

    let at = root.position(Checkpoint::VT_FILE_LENGTH, 8, "file_length")?;
    let declared = u64::from_le_bytes(root.bytes(at));
    if declared != file_length {
        let how = if declared > file_length {
            "was cut short"
        } else {
            "has something appended to it"
        };
        return Err(Error::new(
            ErrorCode::FileLength,
            format!(
                "the file {how}: expected {declared} bytes, as it says itself, found {file_length}"
            ),
        ));
    }

    let metadata_length = root.u32(Checkpoint::VT_METADATA_LENGTH, "metadata_length")?;
    let length = u64::from(metadata_length);
    // The verifier would refuse longer metadata too, but only after all of it had been read.
    if length < MIN_BUFFER_LENGTH || length > file_length.min(FLATBUFFER_LIMIT - 1) {
        return Err(Error::format(
            rule::METADATA_LENGTH,
            format!("the metadata claims {length} bytes, in a file of {file_length} bytes"),
        ));
    }
    let metadata_length = metadata_length as usize;
    let crc_offset = root.position(Checkpoint::VT_METADATA_CRC32, 4, "metadata_crc32")?;
    if crc_offset + 4 > metadata_length {
        return Err(Error::format(
            rule::METADATA_LENGTH,
            "the checksum of the metadata lies outside the metadata",
        )
        .with_offset(crc_offset as u64));
    }
    let metadata_crc32 = u32::from_le_bytes(root.bytes(crc_offset));
    Ok(Head {
        metadata_length,
        metadata_crc32,
        crc_offset,
    })
}

/// The root table, read without a verifier. Its vtable lies within the head.
struct RootTable<'a> {
    head: &'a [u8],
    file_length: u64,
    at: usize,
    vtable: usize,
    vtable_length: usize,
}

impl<'a> RootTable<'a> {
    fn find(head: &'a [u8], file_length: u64) -> Result<Self> {
        let mut root = RootTable {
            head,
            file_length,
            at: 0,
            vtable: 0,
            vtable_length: 0,
        };
        // At least MIN_BUFFER_LENGTH bytes are present.
        let at = u64::from(u32::from_le_bytes(root.bytes(0)));
        if at < 8 || at % 4 != 0 || at + 4 > head.len() as u64 {
            return Err(root.outside("the root table", 0));
        }
        root.at = at as usize;
        let vtable = at as i64 - i64::from(i32::from_le_bytes(root.bytes(root.at)));
        if vtable < 8 || vtable % 2 != 0 || vtable + 4 > head.len() as i64 {
            return Err(root.outside("its vtable", root.at));
        }
        root.vtable = vtable as usize;
        root.vtable_length = usize::from(u16::from_le_bytes(root.bytes(root.vtable)));
        if root.vtable + root.vtable_length > head.len() {
            return Err(root.outside("its vtable", root.vtable));
        }
        Ok(root)
    }

    /// Position of a field of `size` bytes, which lies within the head.
    fn position(&self, slot: u16, size: usize, name: &str) -> Result<usize> {
        let slot = usize::from(slot);
        let entry = if slot + 2 <= self.vtable_length {
            usize::from(u16::from_le_bytes(self.bytes(self.vtable + slot)))
        } else {
            0
        };
        let at = self.at + entry;
        if entry < 4 || at % size != 0 {
            return Err(
                Error::format(rule::HEAD, format!("the root table has no {name}"))
                    .with_offset(self.at as u64),
            );
        }
        if at + size > self.head.len() {
            return Err(self.outside(name, self.vtable + slot));
        }
        Ok(at)
    }

    fn u32(&self, slot: u16, name: &str) -> Result<u32> {
        Ok(u32::from_le_bytes(
            self.bytes(self.position(slot, 4, name)?),
        ))
    }

    /// Bytes at a position that has been validated.
    fn bytes<const N: usize>(&self, at: usize) -> [u8; N] {
        let mut bytes = [0; N];
        bytes.copy_from_slice(&self.head[at..at + N]);
        bytes
    }

    /// An inconsistent head means a file that was cut short, if the file is short; otherwise a
    /// damaged one.
    fn outside(&self, what: &str, offset: usize) -> Error {
        let error = if self.file_length < HEAD_LENGTH as u64 {
            Error::new(
                ErrorCode::FileLength,
                format!(
                    "the file was cut short or is damaged: {what} does not lie within its {} bytes",
                    self.file_length
                ),
            )
            .with_rule(rule::HEAD)
        } else {
            Error::format(
                rule::HEAD,
                format!("{what} does not lie within the first {HEAD_LENGTH} bytes of the file"),
            )
        };
        error.with_offset(offset as u64)
    }
}

fn check_identifier(start: &[u8], file_length: u64) -> Result<()> {
    if start.get(4..8) == Some(IDENTIFIER) {
        return Ok(());
    }
    let looks_like = match start {
        [] if file_length == 0 => "the file is empty",
        // Safetensors comes first: the length of its header can begin like any other format.
        [_, _, _, _, _, _, 0, 0, b'{', ..] => "it looks like a safetensors file",
        [b'P', b'K', ..] => "it is a zip archive (PyTorch and NumPy save these)",
        [0x80, 2..=5, ..] => "it looks like a Python pickle",
        [0x89, b'H', _, _, b'\r', b'\n', ..] => "it looks like an HDF5 file",
        [b'{' | b'[', ..] => "it looks like JSON",
        _ => "",
    };
    let message = if looks_like.is_empty() {
        let found = String::from_utf8_lossy(start.get(4..8).unwrap_or_default());
        format!(
            "not a .ckpt file: expected LWCK at byte 4, found {}",
            quote(&found)
        )
    } else {
        format!("not a .ckpt file: {looks_like}")
    };
    Err(Error::new(ErrorCode::NotACheckpoint, message).with_offset(4))
}
