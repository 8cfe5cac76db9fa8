//! Decodes the bytes of the metadata into plain values, after the verifier has passed them. Only
//! this module touches the generated classes. The rules then validate what the values mean for each
//! other.
//!
//! Text is fetched as bytes and decoded here, because the generated accessors make a `&str` of it
//! without validation.

use std::sync::Arc;

use flatbuffers::{Follow, ForwardsUOffset, Table, VOffsetT, Vector};

use crate::attribute::{Attribute, Attributes};
use crate::error::{Error, Result};
use crate::generated::lightwatch::format::{
    Checkpoint, Entry, Metric, State, Tensor, Value, ValueKind,
};
use crate::metadata::{Metadata, Progress, StateRecord, TensorRecord};
use crate::name_map::NameMap;
use crate::quote::quote;
use crate::tables::{rule, DType, MAX_RANK, MAX_SAFE_INTEGER};
use crate::text::decode_text;
use crate::verifier::verify_flatbuffer;

/// Verifies metadata and decodes it. Refuses (CKPT_FORMAT) what has no meaning by itself: text that
/// is not UTF-8, an unknown dtype, an integer beyond 2^53 - 1, a duplicate key.
pub(crate) fn decode(bytes: &[u8]) -> Result<Metadata> {
    verify_flatbuffer(bytes)?;
    // SAFETY: the verifier has passed: every offset, vtable, vector and string of the schema's tables
    // lies within `bytes`. Of the one vector that it leaves out, `data`, the offset alone is read.
    let root = unsafe { flatbuffers::root_unchecked::<Checkpoint>(bytes) };
    let file_length = safe_unsigned(root.file_length(), "file_length", None)?;
    let progress = decode_progress(&root)?;
    Ok(Metadata {
        version: root.version(),
        metadata_length: u64::from(root.metadata_length()),
        file_length,
        progress,
        model: decode_state(&root.model())?,
        optimizer: root
            .optimizer()
            .map(|state| decode_state(&state))
            .transpose()?,
        extras: items(root.extras())
            .map(|state| decode_state(&state))
            .collect::<Result<_>>()?,
    })
}

fn decode_progress(root: &Checkpoint<'_>) -> Result<Progress> {
    let mut metrics = NameMap::new();
    for metric in items(root.metrics()) {
        let name = required_text(metric._tab, Metric::VT_NAME, "the name of a metric")?;
        let Some(value) = metric.value() else {
            let message = format!("the metric {} has no value", quote(name));
            return Err(Error::format(rule::METRIC_VALUE, message));
        };
        if metrics.contains(name) {
            let message = format!("the metric {} appears twice", quote(name));
            return Err(Error::format(rule::METRIC_UNIQUE, message));
        }
        metrics.push(name.into(), value);
    }
    Ok(Progress {
        epoch: safe_signed(root.epoch(), "epoch")?,
        step: safe_signed(root.step(), "step")?,
        loss: root.loss(),
        metrics,
        config: text(root._tab, Checkpoint::VT_CONFIG, "the config")?.map(str::to_owned),
        sequence: safe_optional(root.sequence(), "sequence")?,
        saved_at: safe_optional(root.saved_at(), "saved_at")?,
    })
}

fn safe_optional(value: Option<u64>, what: &str) -> Result<Option<u64>> {
    value
        .map(|number| safe_unsigned(number, what, None))
        .transpose()
}

fn decode_state(state: &State<'_>) -> Result<StateRecord> {
    let name: Arc<str> = required_text(state._tab, State::VT_NAME, "the name of a state")?.into();
    let attributes = decode_entries(state.attributes())?;
    let tensors = items(Some(state.tensors()))
        .map(|tensor| decode_tensor(&tensor))
        .collect::<Result<_>>()?;
    let kind = text(state._tab, State::VT_KIND, "the kind of a state")?.map(str::to_owned);
    Ok(StateRecord {
        name,
        kind,
        attributes,
        tensors,
    })
}

fn decode_tensor(tensor: &Tensor<'_>) -> Result<TensorRecord> {
    let name = required_text(tensor._tab, Tensor::VT_NAME, "the name of a tensor")?;
    let code = tensor.dtype();
    let Some(dtype) = DType::of_code(code.0) else {
        let message = format!(
            "the tensor {} has the unknown dtype {}",
            quote(name),
            code.0
        );
        return Err(Error::format(rule::TENSOR_DTYPE, message).with_tensor(name));
    };
    let dimensions = tensor.shape();
    if dimensions.len() as u64 > MAX_RANK {
        let message = format!(
            "the tensor {} has {} dimensions, more than {MAX_RANK}",
            quote(name),
            dimensions.len()
        );
        return Err(Error::format(rule::TENSOR_RANK, message).with_tensor(name));
    }
    let shape = dimensions
        .iter()
        .map(|length| safe_unsigned(length, "a dimension", Some(name)))
        .collect::<Result<_>>()?;
    Ok(TensorRecord {
        name: name.into(),
        dtype,
        shape,
        offset: safe_unsigned(tensor.offset(), "an offset", Some(name))?,
        byte_length: safe_unsigned(tensor.byte_length(), "a length", Some(name))?,
        crc32: tensor.crc32(),
        vector_offset: vector_offset(tensor._tab),
    })
}

/// Where `data` leads, as an unsigned number: a backward offset becomes a huge forward one.
fn vector_offset(tensor: Table<'_>) -> Option<u64> {
    let entry = usize::from(tensor.vtable().get(Tensor::VT_DATA));
    if entry == 0 {
        return None;
    }
    let at = tensor.loc() + entry;
    let mut offset = [0; 4];
    offset.copy_from_slice(&tensor.buf()[at..at + 4]);
    Some(at as u64 + u64::from(u32::from_le_bytes(offset)))
}

fn decode_entries(entries: Option<Vector<'_, ForwardsUOffset<Entry<'_>>>>) -> Result<Attributes> {
    let mut map = NameMap::new();
    for entry in items(entries) {
        let key = required_text(entry._tab, Entry::VT_KEY, "a key")?;
        if map.contains(key) {
            let message = format!("the key {} appears twice", quote(key));
            return Err(Error::format(rule::ATTRIBUTE_UNIQUE, message));
        }
        map.push(key.into(), decode_value(&entry.value())?);
    }
    Ok(map)
}

/// At most as deep as the verifier lets tables be nested.
fn decode_value(value: &Value<'_>) -> Result<Attribute> {
    let (boolean, integer) = (value.boolean(), value.integer());
    let (uinteger, number) = (value.uinteger(), value.number());
    let string = text_bytes(value._tab, Value::VT_TEXT);
    let (list, map) = (value.list(), value.map());
    let present = [
        boolean.is_some(),
        integer.is_some(),
        uinteger.is_some(),
        number.is_some(),
        string.is_some(),
        list.is_some(),
        map.is_some(),
    ];
    let present = present.into_iter().filter(|&is| is).count();
    let kind = value.kind();
    let expected = if kind == ValueKind::Null { 0 } else { 1 };
    let found = match kind {
        _ if present != expected => None,
        ValueKind::Null => Some(Attribute::Null),
        ValueKind::Boolean => boolean.map(Attribute::Boolean),
        ValueKind::Integer => integer
            .map(|integer| safe_signed(integer, "an integer among the attributes"))
            .transpose()?
            .map(Attribute::Integer),
        ValueKind::Int64 => integer.map(Attribute::Int64),
        ValueKind::Uint64 => uinteger
            .filter(|&value| value >= 1 << 63)
            .map(Attribute::Uint64),
        ValueKind::Float64 => number.map(Attribute::Float64),
        ValueKind::Text => string
            .map(|bytes| decode_text(bytes, "a text among the attributes"))
            .transpose()?
            .map(|text| Attribute::Text(text.to_owned())),
        ValueKind::List => list
            .map(|list| {
                list.iter()
                    .map(|value| decode_value(&value))
                    .collect::<Result<_>>()
            })
            .transpose()?
            .map(Attribute::List),
        ValueKind::Map => map
            .map(|map| decode_entries(Some(map)))
            .transpose()?
            .map(Attribute::Map),
        _ => None,
    };
    found.ok_or_else(|| {
        let message = format!(
            "an attribute of kind {} does not hold what its kind says",
            kind.0
        );
        Error::format(rule::VALUE_KIND, message)
    })
}

/// The items of a vector of tables; none if there is no vector.
fn items<'a, T: Follow<'a> + 'a>(
    vector: Option<Vector<'a, ForwardsUOffset<T>>>,
) -> impl Iterator<Item = T::Inner> + 'a {
    vector.into_iter().flat_map(|vector| vector.iter())
}

/// A required string of a table that the verifier has passed.
fn required_text<'a>(table: Table<'a>, slot: VOffsetT, what: &str) -> Result<&'a str> {
    // Never absent: the verifier requires it.
    Ok(text(table, slot, what)?.unwrap_or_default())
}

fn text<'a>(table: Table<'a>, slot: VOffsetT, what: &str) -> Result<Option<&'a str>> {
    text_bytes(table, slot)
        .map(|bytes| decode_text(bytes, what))
        .transpose()
}

/// The bytes of the string in a slot of the schema that holds one.
fn text_bytes(table: Table<'_>, slot: VOffsetT) -> Option<&[u8]> {
    // SAFETY: the verifier has passed the table, and the slot (a constant of the generated code) is one
    // of a string, which lies in memory as a vector of bytes does.
    unsafe { table.get::<ForwardsUOffset<&[u8]>>(slot, None) }
}

fn safe_unsigned(value: u64, what: &str, tensor: Option<&str>) -> Result<u64> {
    if value <= MAX_SAFE_INTEGER {
        return Ok(value);
    }
    Err(unsafe_integer(&value.to_string(), what, tensor))
}

fn safe_signed(value: i64, what: &str) -> Result<i64> {
    if value.unsigned_abs() <= MAX_SAFE_INTEGER {
        return Ok(value);
    }
    Err(unsafe_integer(&value.to_string(), what, None))
}

fn unsafe_integer(value: &str, what: &str, tensor: Option<&str>) -> Error {
    let of = tensor.map_or(String::new(), |name| {
        format!(" of the tensor {}", quote(name))
    });
    let error = Error::format(
        rule::INTEGER_SAFE,
        format!("{what}{of} is {value}, beyond 2^53 - 1"),
    );
    match tensor {
        Some(name) => error.with_tensor(name),
        None => error,
    }
}
