//! Attributes: the typed tree of what a state has besides its tensors.

use crate::name_map::NameMap;

/// Keys and values in the order of the file.
pub type Attributes = NameMap<Attribute>;

/// A value in a tree of attributes: a hyper-parameter, a parameter group, a counter.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Attribute {
    /// Nothing.
    Null,
    /// True or false.
    Boolean(bool),
    /// An integer of at most 2^53 - 1 either way, which JavaScript holds as a number.
    Integer(i64),
    /// An integer that JavaScript holds as a bigint.
    Int64(i64),
    /// An integer from 2^63 up.
    Uint64(u64),
    /// Any double, including NaN, the infinities and -0.
    Float64(f64),
    /// Text.
    Text(String),
    /// Values in order.
    List(Vec<Attribute>),
    /// Named values.
    Map(Attributes),
}

impl Attribute {
    /// The value of a `Boolean`.
    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Attribute::Boolean(value) => Some(*value),
            _ => None,
        }
    }

    /// The value of an `Integer` or `Int64`.
    pub fn as_i64(&self) -> Option<i64> {
        match self {
            Attribute::Integer(value) | Attribute::Int64(value) => Some(*value),
            _ => None,
        }
    }

    /// The value of a `Float64` or an `Integer`: the values that JavaScript holds as a number. A
    /// learning rate of 1 is an `Integer`.
    pub fn as_f64(&self) -> Option<f64> {
        match self {
            Attribute::Float64(value) => Some(*value),
            // Exact: at most 2^53 - 1.
            Attribute::Integer(value) => Some(*value as f64),
            _ => None,
        }
    }

    /// The value of a `Text`.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Attribute::Text(value) => Some(value),
            _ => None,
        }
    }

    /// The values of a `List`.
    pub fn as_list(&self) -> Option<&[Attribute]> {
        match self {
            Attribute::List(values) => Some(values),
            _ => None,
        }
    }

    /// The entries of a `Map`.
    pub fn as_map(&self) -> Option<&Attributes> {
        match self {
            Attribute::Map(entries) => Some(entries),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_small() {
        // A list can hold a value for every 24 bytes that the verifier's budget allows.
        assert!(std::mem::size_of::<Attribute>() <= 40);
    }
}
