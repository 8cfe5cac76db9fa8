//! The format's own rules: what the values of decoded metadata must mean for each other. They
//! explain every byte of a file: each segment has one possible position, and the file ends with its
//! last segment.

use std::collections::{HashMap, HashSet};

use crate::dtype::tensor_byte_length;
use crate::error::{Error, Result};
use crate::layout::{is_plain_flatbuffer, segment_start};
use crate::metadata::{Metadata, TensorRecord, MODEL, OPTIMIZER};
use crate::quote::quote;
use crate::tables::rule;
use crate::tables::LENGTH_BYTES;
use crate::text::name_fault;

/// The bytes of one tensor, or of several over the same memory. Lengths and positions in bytes.
pub(crate) struct SegmentRecord {
    /// The end of what precedes the segment; the gap lies between it and `offset`.
    pub(crate) gap_start: u64,
    pub(crate) offset: u64,
    pub(crate) byte_length: u64,
    pub(crate) crc32: u32,
    /// The name of the first tensor over it.
    pub(crate) tensor: std::sync::Arc<str>,
}

/// The segments in the order of the file, and the index of each by its offset.
pub(crate) struct Segments {
    pub(crate) records: Vec<SegmentRecord>,
    pub(crate) by_offset: HashMap<u64, usize>,
}

/// Validates the rules and returns the file's segments.
pub(crate) fn check_rules(metadata: &Metadata) -> Result<Segments> {
    check_names(metadata)?;
    let file_length = metadata.file_length;
    let plain = is_plain_flatbuffer(file_length);
    let mut segments = Segments {
        records: Vec::new(),
        by_offset: HashMap::new(),
    };
    let mut end = metadata.metadata_length;
    for state in metadata.states() {
        let mut names = HashSet::new();
        for tensor in &state.tensors {
            let name = &tensor.name;
            if let Some(fault) = name_fault(name) {
                let message = format!("a tensor's name, {}, {fault}", quote(name));
                return Err(Error::format(rule::TENSOR_NAME, message).with_tensor(name));
            }
            if !names.insert(&**name) {
                return Err(broken(rule::TENSOR_UNIQUE, tensor, "appears twice"));
            }
            check_length(tensor)?;
            if let Some(&known) = segments.by_offset.get(&tensor.offset) {
                let known = &segments.records[known];
                if known.byte_length != tensor.byte_length || known.crc32 != tensor.crc32 {
                    let what = "shares its place with a tensor of another length or checksum";
                    return Err(broken(rule::TENSOR_ALIAS, tensor, what));
                }
            } else {
                let expected = segment_start(end);
                if tensor.offset != expected {
                    let what = format!("is at byte {}: expected {expected}", tensor.offset);
                    return Err(broken(rule::TENSOR_OFFSET, tensor, &what));
                }
                segments
                    .by_offset
                    .insert(tensor.offset, segments.records.len());
                segments.records.push(SegmentRecord {
                    gap_start: end,
                    offset: tensor.offset,
                    byte_length: tensor.byte_length,
                    crc32: tensor.crc32,
                    tensor: name.clone(),
                });
                // Each at most 2^53 - 1.
                end = tensor.offset + tensor.byte_length;
                if end > file_length {
                    let what = format!("ends at byte {end}, in a file of {file_length}");
                    return Err(broken(rule::TENSOR_RANGE, tensor, &what));
                }
            }
            check_vector(tensor, plain)?;
        }
    }
    // The metadata's length is at most the file's (head), and every segment ends in it.
    if end != file_length {
        let rest = file_length - end;
        let message = format!("the file has {rest} bytes after its last segment, from byte {end}");
        return Err(Error::format(rule::FILE_LENGTH, message));
    }
    Ok(segments)
}

fn check_names(metadata: &Metadata) -> Result<()> {
    let is_called = |name: &str, expected: &str| {
        if name == expected {
            return Ok(());
        }
        let message = format!("the {expected}'s state is called {}", quote(name));
        Err(Error::format(rule::STATE_NAME, message))
    };
    is_called(&metadata.model.name, MODEL)?;
    if let Some(optimizer) = &metadata.optimizer {
        is_called(&optimizer.name, OPTIMIZER)?;
    }
    let mut taken = HashSet::from([MODEL, OPTIMIZER]);
    for extra in &metadata.extras {
        let fresh = taken.insert(&extra.name);
        if let Some(fault) = if fresh {
            name_fault(&extra.name)
        } else {
            Some("is taken")
        } {
            let message = format!("an extra's name, {}, {fault}", quote(&extra.name));
            return Err(Error::format(rule::STATE_NAME, message));
        }
    }
    for name in metadata.progress.metrics.names() {
        if let Some(fault) = name_fault(name) {
            let message = format!("a metric's name, {}, {fault}", quote(name));
            return Err(Error::format(rule::METRIC_NAME, message));
        }
    }
    Ok(())
}

fn check_length(tensor: &TensorRecord) -> Result<()> {
    let TensorRecord {
        dtype,
        shape,
        byte_length,
        ..
    } = tensor;
    if tensor_byte_length(*dtype, shape) == Some(*byte_length) {
        return Ok(());
    }
    let what = format!("has {byte_length} bytes, which is not what {dtype} {shape:?} takes");
    Err(broken(rule::TENSOR_BYTE_LENGTH, tensor, &what))
}

fn check_vector(tensor: &TensorRecord, plain: bool) -> Result<()> {
    // A segment's offset is at least LENGTH_BYTES, because it has been compared with the layout's.
    let expected = plain.then(|| tensor.offset - LENGTH_BYTES);
    if tensor.vector_offset == expected {
        return Ok(());
    }
    let what = match (expected, tensor.vector_offset) {
        (Some(expected), Some(found)) => {
            format!("has data at byte {found}: expected {expected} by its offset")
        }
        (Some(_), None) => "has no data, which a file of less than 2 GiB must have".to_owned(),
        (None, _) => "has data, which a file of 2 GiB or more cannot have".to_owned(),
    };
    Err(broken(rule::TENSOR_DATA, tensor, &what))
}

fn broken(rule: &'static str, tensor: &TensorRecord, what: &str) -> Error {
    let message = format!("the tensor {} {what}", quote(&tensor.name));
    Error::format(rule, message)
        .with_tensor(&tensor.name)
        .with_offset(tensor.offset)
}
