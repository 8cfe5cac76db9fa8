//! Where everything lies in a file: the metadata first, then one segment per distinct tensor. The
//! positions follow from the lengths alone, so a writer and a reader come to the same ones.

/// Every segment starts at a multiple of this, in bytes: a cache line, and any SIMD width in use.
pub(crate) const SEGMENT_ALIGNMENT: u64 = 64;

/// Bytes before a segment that are kept for its length.
pub(crate) const LENGTH_BYTES: u64 = 4;

/// Files shorter than this are one plain FlatBuffer. It is the longest buffer (exclusive) that
/// FlatBuffers' verifiers take: FLATBUFFERS_MAX_BUFFER_SIZE.
pub(crate) const FLATBUFFER_LIMIT: u64 = (1 << 31) - 1;

/// The largest integer that a double holds exactly with all below it: 2^53 - 1. The format's limit
/// of lengths, positions, dimensions and counters.
pub(crate) const MAX_SAFE_INTEGER: u64 = (1 << 53) - 1;

/// Where a segment starts when what stands before it ends at `end`, at most 2^54.
pub(crate) fn segment_start(end: u64) -> u64 {
    (end + LENGTH_BYTES).div_ceil(SEGMENT_ALIGNMENT) * SEGMENT_ALIGNMENT
}

/// Whether the tensors of a file of this length are FlatBuffers vectors as well.
pub(crate) fn is_plain_flatbuffer(file_length: u64) -> bool {
    file_length < FLATBUFFER_LIMIT
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_segment_starts_behind_four_bytes_at_a_multiple_of_64() {
        assert_eq!(segment_start(0), 64);
        assert_eq!(segment_start(60), 64);
        assert_eq!(segment_start(61), 128);
        assert_eq!(segment_start(64), 128);
        assert_eq!(segment_start((1 << 32) - 4), 1 << 32);
        assert_eq!(segment_start((1 << 32) - 3), (1 << 32) + 64);
    }

    #[test]
    fn a_plain_flatbuffer_is_shorter_than_2_gib_less_1() {
        assert!(is_plain_flatbuffer((1 << 31) - 2));
        assert!(!is_plain_flatbuffer((1 << 31) - 1));
    }
}
