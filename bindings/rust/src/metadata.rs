//! The metadata of a checkpoint as plain values: decode returns them and the rules validate them.

use std::sync::Arc;

use crate::attribute::Attributes;
use crate::name_map::NameMap;
use crate::tables::DType;

/// The names of the model's and the optimizer's state in a file.
pub(crate) const MODEL: &str = "model";
pub(crate) const OPTIMIZER: &str = "optimizer";

/// How far a training run has come.
pub(crate) struct Progress {
    pub(crate) epoch: i64,
    pub(crate) step: i64,
    pub(crate) loss: Option<f64>,
    pub(crate) metrics: NameMap<f64>,
    /// JSON text.
    pub(crate) config: Option<String>,
    /// Position in the order of the run's saves.
    pub(crate) sequence: Option<u64>,
    /// In milliseconds since 1970.
    pub(crate) saved_at: Option<u64>,
}

/// A tensor as the file describes it. Lengths and positions are in bytes.
pub(crate) struct TensorRecord {
    pub(crate) name: Arc<str>,
    pub(crate) dtype: DType,
    pub(crate) shape: Box<[u64]>,
    /// Position of its segment, from the start of the file.
    pub(crate) offset: u64,
    pub(crate) byte_length: u64,
    pub(crate) crc32: u32,
    /// Position of the length of the `data` vector, if there is one.
    pub(crate) vector_offset: Option<u64>,
}

pub(crate) struct StateRecord {
    pub(crate) name: Arc<str>,
    pub(crate) kind: Option<String>,
    pub(crate) attributes: Attributes,
    /// In the order of the state dict.
    pub(crate) tensors: Vec<TensorRecord>,
}

pub(crate) struct Metadata {
    pub(crate) version: u32,
    pub(crate) metadata_length: u64,
    pub(crate) file_length: u64,
    pub(crate) progress: Progress,
    pub(crate) model: StateRecord,
    pub(crate) optimizer: Option<StateRecord>,
    pub(crate) extras: Vec<StateRecord>,
}

impl Metadata {
    /// All states, in the order of their segments in the file.
    pub(crate) fn states(&self) -> impl Iterator<Item = &StateRecord> {
        std::iter::once(&self.model)
            .chain(&self.optimizer)
            .chain(&self.extras)
    }
}
