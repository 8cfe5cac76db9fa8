//! Reads the metadata of a file. It copies the bytes into memory of the library's own, which no
//! other code changes after verification, verifies them in full, and decodes them. It touches no
//! tensor, so the cost does not depend on their size.

use crate::checksum::metadata_checksum;
use crate::decode::decode;
use crate::error::{Error, Result};
use crate::head::{read_head, HEAD_LENGTH};
use crate::metadata::Metadata;
use crate::rules::{check_rules, Segments};
use crate::tables::ErrorCode;

/// The whole metadata of a file of `file_length` bytes, and its segments. Every rule of the format
/// has been validated. `read` fills memory with the bytes at a position.
pub(crate) fn read_metadata(
    file_length: u64,
    read: impl Fn(&mut [u8], u64) -> Result<()>,
) -> Result<(Metadata, Segments)> {
    // The format is little-endian, and tensors are viewed in place.
    if cfg!(target_endian = "big") {
        let message = "expected a little-endian machine, found a big-endian one";
        return Err(Error::new(ErrorCode::BigEndian, message));
    }
    let mut start = [0; HEAD_LENGTH];
    let start_length = file_length.min(HEAD_LENGTH as u64) as usize;
    let start = &mut start[..start_length];
    read(start, 0)?;
    let head = read_head(start, file_length)?;

    // The start is not read again, because another process could have changed it.
    let mut bytes = Vec::new();
    bytes.try_reserve_exact(head.metadata_length).map_err(|_| {
        let message = format!(
            "there is not enough memory for the metadata of {} bytes",
            head.metadata_length
        );
        Error::new(ErrorCode::TensorTooLarge, message)
    })?;
    bytes.extend_from_slice(&start[..start_length.min(head.metadata_length)]);
    bytes.resize(head.metadata_length, 0);
    if head.metadata_length > start_length {
        read(&mut bytes[start_length..], start_length as u64)?;
    }

    let actual = metadata_checksum(&bytes, head.crc_offset);
    if actual != head.metadata_crc32 {
        let message = format!(
            "the metadata is damaged: checksum mismatch, found {actual:08x}, expected {:08x}",
            head.metadata_crc32
        );
        return Err(Error::new(ErrorCode::MetadataChecksum, message));
    }
    let metadata = decode(&bytes)?;
    let segments = check_rules(&metadata)?;
    Ok((metadata, segments))
}
