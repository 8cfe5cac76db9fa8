//! Memory of the library's own for bytes that are viewed as numbers.

use crate::error::{Error, Result};
use crate::tables::ErrorCode;

// The widest element's alignment, f64's, and the type that gives it.
type Word = u64;
const WORD: usize = std::mem::size_of::<Word>();

/// Bytes that start at a multiple of eight.
pub(crate) struct AlignedBytes {
    words: Vec<Word>,
    length: usize,
}

impl AlignedBytes {
    /// Zeros. An error if there is not enough memory, or if the machine cannot address it.
    pub(crate) fn zeros(length: u64) -> Result<Self> {
        let too_large = || {
            let message = format!("there is not enough memory for {length} bytes");
            Error::new(ErrorCode::TensorTooLarge, message)
        };
        let length = usize::try_from(length).map_err(|_| too_large())?;
        let count = length.div_ceil(WORD);
        let mut words: Vec<Word> = Vec::new();
        words.try_reserve_exact(count).map_err(|_| too_large())?;
        words.resize(count, 0);
        Ok(AlignedBytes { words, length })
    }

    pub(crate) fn as_slice(&self) -> &[u8] {
        // SAFETY: the words are `length` initialised bytes or more, of any alignment that a byte needs,
        // and are borrowed for as long as the slice.
        unsafe { std::slice::from_raw_parts(self.words.as_ptr().cast::<u8>(), self.length) }
    }

    pub(crate) fn as_mut_slice(&mut self) -> &mut [u8] {
        // SAFETY: as above; exclusively borrowed, and any bytes make words.
        unsafe { std::slice::from_raw_parts_mut(self.words.as_mut_ptr().cast::<u8>(), self.length) }
    }
}
