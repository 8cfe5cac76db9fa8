//! Text in a file: UTF-8, decoded strictly. A byte order mark is a character like any other, and
//! text that is not UTF-8 is refused.

use crate::error::{Error, Result};
use crate::tables::{rule, MAX_NAME_BYTES};

/// Decodes UTF-8; `what` names it in the message.
pub(crate) fn decode_text<'a>(bytes: &'a [u8], what: &str) -> Result<&'a str> {
    std::str::from_utf8(bytes).map_err(|error| {
        Error::format(
            rule::TEXT_UTF8,
            format!("{what} is not valid UTF-8: {error}"),
        )
    })
}

/// Why a text cannot be the name of a tensor, a state or a metric, or `None` if it can.
pub(crate) fn name_fault(name: &str) -> Option<&'static str> {
    if name.is_empty() {
        return Some("is empty");
    }
    if name.contains('\0') {
        // A reader that ends strings there would take two names for one.
        return Some("contains U+0000");
    }
    if name.len() as u64 > MAX_NAME_BYTES {
        return Some("is longer than 65535 bytes");
    }
    None
}
