//! CRC-32/ISO-HDLC, the checksum of zlib, gzip and PNG.

/// CRC-32 of `bytes`.
pub(crate) fn crc32(bytes: &[u8]) -> u32 {
    crc32fast::hash(bytes)
}

/// CRC-32 of metadata, with the four bytes at `crc_offset` taken as zero.
pub(crate) fn metadata_checksum(metadata: &[u8], crc_offset: usize) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&metadata[..crc_offset]);
    hasher.update(&[0; 4]);
    hasher.update(&metadata[crc_offset + 4..]);
    hasher.finalize()
}
