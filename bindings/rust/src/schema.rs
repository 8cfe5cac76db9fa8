//! What the tables of the schema are made of, as data that drives the verifier.

/// What a field holds. The schema has no structs, no unions, and no vectors of text or of bools.
#[derive(Clone, Copy)]
pub(crate) enum Holds {
    /// A number of so many bytes, aligned to as many.
    Number(i64),
    Bool,
    Text,
    Table(&'static Table),
    /// A vector of numbers of so many bytes.
    Numbers(i64),
    Tables(&'static Table),
    /// A vector of bytes that lie outside of the metadata, in a segment.
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
    /// In the order of their slots, which is the order of checks.
    pub(crate) fields: &'static [Field],
}
