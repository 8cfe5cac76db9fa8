//! The tables of the schema, as data that drives the verifier.

/// The content of a field. The schema has no structs, no unions, and no vectors of text or of
/// bools.
#[derive(Clone, Copy)]
pub(crate) enum Holds {
    /// A number of this many bytes, with the same alignment.
    Number(i64),
    Bool,
    Text,
    Table(&'static Table),
    /// A vector of numbers of this many bytes.
    Numbers(i64),
    Tables(&'static Table),
    /// A vector of bytes that lie outside the metadata, in a segment.
    Segment,
}

pub(crate) struct Field {
    pub(crate) name: &'static str,
    /// Byte offset of the field's entry in the vtable.
    pub(crate) slot: u16,
    pub(crate) required: bool,
    pub(crate) holds: Holds,
}

pub(crate) struct Table {
    pub(crate) name: &'static str,
    /// In the order of their slots, which is the order of verification.
    pub(crate) fields: &'static [Field],
}
