//! The layout of a file: the metadata first, then one segment for each distinct tensor. The
//! positions follow from the lengths alone, so a writer and a reader compute the same ones.

use crate::tables::{FLATBUFFER_LIMIT, LENGTH_BYTES, SEGMENT_ALIGNMENT};

/// The position of a segment if what precedes it ends at `end`, at most 2^54.
pub(crate) fn segment_start(end: u64) -> u64 {
    (end + LENGTH_BYTES).div_ceil(SEGMENT_ALIGNMENT) * SEGMENT_ALIGNMENT
}

/// Whether a file of this length is one plain FlatBuffer, in which tensors are vectors as well.
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
