//! The length of a tensor of a dtype and a shape.

use std::fmt;

use crate::tables::{DType, MAX_SAFE_INTEGER};

impl fmt::Display for DType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Number of elements of a shape, or `None` beyond 2^53 - 1. A zero dimension makes it zero, but
/// only if the product of the others is in range as well: a zero must not hide a huge dimension.
fn element_count(shape: &[u64]) -> Option<u64> {
    let mut count = 1u64;
    let mut empty = false;
    for &length in shape {
        if length > MAX_SAFE_INTEGER {
            return None;
        }
        if length == 0 {
            empty = true;
        } else {
            count = safe_product(count, length)?;
        }
    }
    Some(if empty { 0 } else { count })
}

/// Bytes that a tensor takes. `None` beyond 2^53 - 1, or if packed bits do not fill whole bytes.
pub(crate) fn tensor_byte_length(dtype: DType, shape: &[u64]) -> Option<u64> {
    let count = element_count(shape)?;
    let bits = u64::from(dtype.bits());
    if bits % 8 == 0 {
        return safe_product(count, bits / 8);
    }
    let total = safe_product(count, bits)?;
    (total % 8 == 0).then_some(total / 8)
}

fn safe_product(a: u64, b: u64) -> Option<u64> {
    a.checked_mul(b)
        .filter(|&product| product <= MAX_SAFE_INTEGER)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generated::lightwatch::format::DType as Code;

    #[test]
    fn every_dtype_of_the_schema_is_known_by_its_name() {
        for code in 0..=u8::MAX {
            let name = Code(code).variant_name().filter(|_| code != 0);
            assert_eq!(DType::of_code(code).map(DType::name), name);
        }
    }

    #[test]
    fn lengths_follow_from_shapes_and_never_wrap() {
        assert_eq!(tensor_byte_length(DType::Float32, &[]), Some(4));
        assert_eq!(tensor_byte_length(DType::Complex128, &[2, 3]), Some(96));
        assert_eq!(tensor_byte_length(DType::Float4E2M1Fn, &[2]), Some(1));
        assert_eq!(tensor_byte_length(DType::Float4E2M1Fn, &[3]), None);
        assert_eq!(tensor_byte_length(DType::Float6E2M3Fn, &[4]), Some(3));
        assert_eq!(
            tensor_byte_length(DType::Uint8, &[MAX_SAFE_INTEGER]),
            Some(MAX_SAFE_INTEGER)
        );
        assert_eq!(tensor_byte_length(DType::Uint16, &[MAX_SAFE_INTEGER]), None);
        assert_eq!(tensor_byte_length(DType::Uint8, &[1 << 32, 1 << 32]), None);
        assert_eq!(tensor_byte_length(DType::Uint8, &[0, 1 << 40]), Some(0));
        assert_eq!(
            tensor_byte_length(DType::Uint8, &[0, 1 << 40, 1 << 40]),
            None
        );
    }
}
