#![doc = include_str!("../README.md")]
#![deny(unsafe_op_in_unsafe_fn)]
#![warn(missing_docs)]

mod aligned_bytes;
mod attribute;
mod checkpoint;
mod checksum;
mod decode;
mod dtype;
mod element;
mod error;
mod head;
mod layout;
mod metadata;
mod name_map;
mod quote;
mod read_metadata;
mod rules;
mod schema;
mod segment;
mod source;
mod state;
// Written by npm run gen; never edited.
#[allow(dead_code)]
#[rustfmt::skip]
mod tables;
mod tensor;
mod text;
mod verifier;

// Written by flatc from schema/checkpoint.fbs; never edited.
#[allow(
    clippy::all,
    dead_code,
    deprecated,
    mismatched_lifetime_syntaxes,
    missing_docs,
    non_camel_case_types,
    unknown_lints,
    unsafe_op_in_unsafe_fn,
    unused_imports
)]
#[rustfmt::skip]
mod generated;

pub use attribute::{Attribute, Attributes};
pub use checkpoint::{Checkpoint, Options};
pub use element::Element;
pub use error::{Error, Result};
pub use name_map::NameMap;
pub use state::State;
pub use tables::{DType, ErrorCode, FORMAT_VERSION};
pub use tensor::Tensor;
