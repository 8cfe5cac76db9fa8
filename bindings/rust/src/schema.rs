//! What the schema says about the layout of its tables, as data that drives the verifier. Slots come
//! from the generated code; a test holds all of it against the description that flatc's reflection
//! gives of `schema/checkpoint.fbs`.

use crate::generated::lightwatch::format as g;

/// Four bytes at byte 4 of a file.
pub(crate) const IDENTIFIER: &[u8; 4] = b"LWCK";

/// Number types of the schema.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Scalar {
    Bool,
    Uint8,
    Uint32,
    Int64,
    Uint64,
    Float64,
}

impl Scalar {
    /// In bytes; also its alignment.
    pub(crate) fn size(self) -> i64 {
        match self {
            Scalar::Bool | Scalar::Uint8 => 1,
            Scalar::Uint32 => 4,
            Scalar::Int64 | Scalar::Uint64 | Scalar::Float64 => 8,
        }
    }
}

/// What a field holds. The schema has no structs, no unions, and no vectors of text or of bools.
#[derive(Clone, Copy)]
pub(crate) enum Type {
    Scalar(Scalar),
    Text,
    Table(&'static Table),
    ScalarVector(Scalar),
    TableVector(&'static Table),
    /// A vector of bytes that lie outside of the metadata, in a segment.
    Segment,
}

pub(crate) struct Field {
    pub(crate) name: &'static str,
    /// Byte offset of the field's entry in the vtable.
    pub(crate) slot: u16,
    pub(crate) required: bool,
    pub(crate) holds: Type,
}

pub(crate) struct Table {
    pub(crate) name: &'static str,
    /// In the order of their slots, which is the order of checks.
    pub(crate) fields: &'static [Field],
}

const fn field(name: &'static str, slot: u16, holds: Type) -> Field {
    Field {
        name,
        slot,
        required: false,
        holds,
    }
}

const fn required(name: &'static str, slot: u16, holds: Type) -> Field {
    Field {
        name,
        slot,
        required: true,
        holds,
    }
}

use Type::{ScalarVector, Segment, TableVector, Text};

const BOOL: Type = Type::Scalar(Scalar::Bool);
const UINT8: Type = Type::Scalar(Scalar::Uint8);
const UINT32: Type = Type::Scalar(Scalar::Uint32);
const INT64: Type = Type::Scalar(Scalar::Int64);
const UINT64: Type = Type::Scalar(Scalar::Uint64);
const FLOAT64: Type = Type::Scalar(Scalar::Float64);

/// The root.
pub(crate) static CHECKPOINT: Table = Table {
    name: "Checkpoint",
    fields: &[
        field("version", g::Checkpoint::VT_VERSION, UINT32),
        field("metadata_length", g::Checkpoint::VT_METADATA_LENGTH, UINT32),
        field("metadata_crc32", g::Checkpoint::VT_METADATA_CRC32, UINT32),
        field("file_length", g::Checkpoint::VT_FILE_LENGTH, UINT64),
        field("epoch", g::Checkpoint::VT_EPOCH, INT64),
        field("step", g::Checkpoint::VT_STEP, INT64),
        field("loss", g::Checkpoint::VT_LOSS, FLOAT64),
        field("metrics", g::Checkpoint::VT_METRICS, TableVector(&METRIC)),
        field("config", g::Checkpoint::VT_CONFIG, Text),
        required("model", g::Checkpoint::VT_MODEL, Type::Table(&STATE)),
        field(
            "optimizer",
            g::Checkpoint::VT_OPTIMIZER,
            Type::Table(&STATE),
        ),
        field("extras", g::Checkpoint::VT_EXTRAS, TableVector(&STATE)),
    ],
};

static ENTRY: Table = Table {
    name: "Entry",
    fields: &[
        required("key", g::Entry::VT_KEY, Text),
        required("value", g::Entry::VT_VALUE, Type::Table(&VALUE)),
    ],
};

static METRIC: Table = Table {
    name: "Metric",
    fields: &[
        required("name", g::Metric::VT_NAME, Text),
        field("value", g::Metric::VT_VALUE, FLOAT64),
    ],
};

static STATE: Table = Table {
    name: "State",
    fields: &[
        required("name", g::State::VT_NAME, Text),
        field("kind", g::State::VT_KIND, Text),
        field("attributes", g::State::VT_ATTRIBUTES, TableVector(&ENTRY)),
        required("tensors", g::State::VT_TENSORS, TableVector(&TENSOR)),
    ],
};

static TENSOR: Table = Table {
    name: "Tensor",
    fields: &[
        required("name", g::Tensor::VT_NAME, Text),
        field("dtype", g::Tensor::VT_DTYPE, UINT8),
        required("shape", g::Tensor::VT_SHAPE, ScalarVector(Scalar::Uint64)),
        field("offset", g::Tensor::VT_OFFSET, UINT64),
        field("byte_length", g::Tensor::VT_BYTE_LENGTH, UINT64),
        field("crc32", g::Tensor::VT_CRC32, UINT32),
        field("data", g::Tensor::VT_DATA, Segment),
    ],
};

static VALUE: Table = Table {
    name: "Value",
    fields: &[
        field("kind", g::Value::VT_KIND, UINT8),
        field("boolean", g::Value::VT_BOOLEAN, BOOL),
        field("integer", g::Value::VT_INTEGER, INT64),
        field("uinteger", g::Value::VT_UINTEGER, UINT64),
        field("number", g::Value::VT_NUMBER, FLOAT64),
        field("text", g::Value::VT_TEXT, Text),
        field("list", g::Value::VT_LIST, TableVector(&VALUE)),
        field("map", g::Value::VT_MAP, TableVector(&ENTRY)),
    ],
};

#[cfg(test)]
mod tests {
    use super::*;

    fn scalar(scalar: Scalar) -> String {
        let name = format!("{scalar:?}").to_lowercase();
        format!(
            "{{ base: 'scalar', scalar: '{name}', size: {} }}",
            scalar.size()
        )
    }

    fn vector(element: &str, segment: bool) -> String {
        format!("{{ base: 'vector', element: {element}, segment: {segment} }}")
    }

    fn table(table: &Table) -> String {
        format!("{{ base: 'table', table: '{}' }}", table.name)
    }

    fn described(holds: Type) -> String {
        match holds {
            Type::Scalar(of) => scalar(of),
            Type::Text => "{ base: 'string' }".to_owned(),
            Type::Table(of) => table(of),
            Type::ScalarVector(of) => vector(&scalar(of), false),
            Type::TableVector(of) => vector(&table(of), false),
            Type::Segment => vector(&scalar(Scalar::Uint8), true),
        }
    }

    #[test]
    fn it_is_what_flatc_says_of_the_schema() {
        let mut written = format!(
            "  identifier: '{}',\n  root: '{}',\n  tables: {{\n",
            std::str::from_utf8(IDENTIFIER).unwrap(),
            CHECKPOINT.name,
        );
        for table in [&CHECKPOINT, &ENTRY, &METRIC, &STATE, &TENSOR, &VALUE] {
            written += &format!("    {}: [\n", table.name);
            for Field {
                name,
                slot,
                required,
                holds,
            } in table.fields
            {
                written += &format!(
                    "      {{ name: '{name}', slot: {slot}, required: {required}, type: {} }},\n",
                    described(*holds),
                );
            }
            written += "    ],\n";
        }
        written += "  },\n  unions: {},\n}\n";
        let path = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../../generated/description.ts"
        );
        let description = std::fs::read_to_string(path).unwrap();
        let (_, description) = description.split_once("SchemaDescription = {\n").unwrap();
        assert_eq!(written, description);
    }
}
