//! A tensor of a checkpoint.

use std::fmt;
use std::sync::Arc;

use crate::element::{cast, Element};
use crate::error::{Error, Result};
use crate::metadata::TensorRecord;
use crate::quote::quote;
use crate::segment::Segment;
use crate::tables::DType;
use crate::tables::ErrorCode;

/// A tensor of a checkpoint. Everything that it hands out borrows from it, and so from its
/// checkpoint.
pub struct Tensor {
    record: TensorRecord,
    segment: Arc<Segment>,
}

impl Tensor {
    pub(crate) fn new(record: TensorRecord, segment: Arc<Segment>) -> Self {
        Tensor { record, segment }
    }

    /// The key in the state dict.
    pub fn name(&self) -> &str {
        &self.record.name
    }

    /// The type of the elements.
    pub fn dtype(&self) -> DType {
        self.record.dtype
    }

    /// Length of each dimension in elements, outermost first; empty for a scalar. The elements are in
    /// row-major order, without strides or gaps.
    pub fn shape(&self) -> &[u64] {
        &self.record.shape
    }

    /// Number of elements; 1 for a scalar.
    pub fn element_count(&self) -> u64 {
        // The rules have ensured that it does not overflow.
        self.record.shape.iter().product()
    }

    /// Length in bytes.
    pub fn byte_length(&self) -> u64 {
        self.record.byte_length
    }

    /// Position of the first byte in the file; a multiple of 64.
    pub fn offset(&self) -> u64 {
        self.record.offset
    }

    /// Whether both are over the same bytes of the same checkpoint: tied weights.
    pub fn shares_memory_with(&self, other: &Tensor) -> bool {
        Arc::ptr_eq(&self.segment, &other.segment)
    }

    /// The bytes, in place if the file is mapped or in memory. Otherwise they are read the first
    /// time, and kept as long as the checkpoint; see [`Tensor::read_into`].
    ///
    /// The bytes before the segment and the checksum are verified the first time.
    ///
    /// # Errors
    ///
    /// `CKPT_FORMAT` (rule `gap`) or `CKPT_TENSOR_CHECKSUM` if the bytes are damaged; `CKPT_READ`,
    /// `CKPT_FILE_CHANGED` or `CKPT_TENSOR_TOO_LARGE` if they cannot be read.
    pub fn bytes(&self) -> Result<&[u8]> {
        self.segment.bytes()
    }

    /// The elements, in place like [`Tensor::bytes`]. [`Element`] lists which type fits which
    /// dtype.
    ///
    /// # Errors
    ///
    /// `CKPT_STATE_MISMATCH` if the tensor has another dtype, and those of [`Tensor::bytes`].
    pub fn as_slice<T: Element>(&self) -> Result<&[T]> {
        if !T::holds(self.record.dtype) {
            return Err(self.mismatch(format!(
                "is {}, which cannot be viewed as {}",
                self.record.dtype,
                std::any::type_name::<T>()
            )));
        }
        let bytes = self.bytes()?;
        // Segments are aligned to 64 bytes in the file, and the file to eight or more in memory.
        cast(bytes).ok_or_else(|| self.mismatch("is not aligned in memory".to_owned()))
    }

    /// Copies the bytes over `target`, which must have the same length. If the file is not mapped,
    /// the bytes are not kept.
    ///
    /// # Errors
    ///
    /// `CKPT_STATE_MISMATCH` if `target` has another length, and those of [`Tensor::bytes`]. After
    /// an error the content of `target` must not be used.
    pub fn read_into(&self, target: &mut [u8]) -> Result<()> {
        if target.len() as u64 != self.record.byte_length {
            return Err(self.mismatch(format!(
                "has {} bytes, but the memory for it has {}",
                self.record.byte_length,
                target.len()
            )));
        }
        self.segment.read_into(target)
    }

    fn mismatch(&self, what: String) -> Error {
        let message = format!("the tensor {} {what}", quote(&self.record.name));
        Error::new(ErrorCode::StateMismatch, message).with_tensor(&self.record.name)
    }
}

impl fmt::Debug for Tensor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:?}", self.record.dtype, self.record.shape)
    }
}
