//! The dtypes: how wide an element is, and how long a tensor of some shape.

use std::fmt;

use crate::generated::lightwatch::format::DType as Code;
use crate::layout::MAX_SAFE_INTEGER;

macro_rules! dtypes {
    ($($(#[$doc:meta])* $variant:ident = $name:ident, $bits:literal;)*) => {
        /// The type of a tensor's elements. The names are those of PyTorch and ml_dtypes.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum DType {
            $($(#[$doc])* $variant,)*
        }

        impl DType {
            /// All dtypes, floats first.
            pub const ALL: &'static [DType] = &[$(DType::$variant),*];

            /// The name in the schema: `float32`.
            pub fn name(self) -> &'static str {
                match self { $(DType::$variant => stringify!($name),)* }
            }

            /// Bits of an element. Below 8 elements are packed, from the least significant bit of
            /// each byte upwards without gaps.
            pub fn bits(self) -> u32 {
                match self { $(DType::$variant => $bits,)* }
            }

            /// The dtype of a number in a file, where there is one.
            pub(crate) fn of_code(code: Code) -> Option<DType> {
                match code { $(Code::$name => Some(DType::$variant),)* _ => None }
            }
        }
    };
}

dtypes! {
    /// IEEE 754 binary64.
    Float64 = float64, 64;
    /// IEEE 754 binary32.
    Float32 = float32, 32;
    /// IEEE 754 binary16; viewed as its bits, `u16`.
    Float16 = float16, 16;
    /// The upper half of a binary32; viewed as its bits, `u16`.
    BFloat16 = bfloat16, 16;
    /// OCP 8-bit float, finite; viewed as its bits, `u8`, like all narrow floats.
    Float8E4M3Fn = float8_e4m3fn, 8;
    /// OCP 8-bit float.
    Float8E5M2 = float8_e5m2, 8;
    /// 8-bit float, finite, without a negative zero.
    Float8E4M3FnUz = float8_e4m3fnuz, 8;
    /// 8-bit float, finite, without a negative zero.
    Float8E5M2FnUz = float8_e5m2fnuz, 8;
    /// A power of two: the scale of the OCP microscaling formats.
    Float8E8M0Fnu = float8_e8m0fnu, 8;
    /// OCP microscaling float of 6 bits, packed.
    Float6E2M3Fn = float6_e2m3fn, 6;
    /// OCP microscaling float of 6 bits, packed.
    Float6E3M2Fn = float6_e3m2fn, 6;
    /// OCP microscaling float of 4 bits, packed.
    Float4E2M1Fn = float4_e2m1fn, 4;
    /// Two's complement integer.
    Int8 = int8, 8;
    /// Two's complement integer.
    Int16 = int16, 16;
    /// Two's complement integer.
    Int32 = int32, 32;
    /// Two's complement integer.
    Int64 = int64, 64;
    /// Unsigned integer.
    Uint8 = uint8, 8;
    /// Unsigned integer.
    Uint16 = uint16, 16;
    /// Unsigned integer.
    Uint32 = uint32, 32;
    /// Unsigned integer.
    Uint64 = uint64, 64;
    /// One byte an element: 0 is false, anything else is true; so it is viewed as `u8`.
    Bool = bool, 8;
    /// Two float32 an element, the real part first; viewed as `[f32; 2]` or `f32`.
    Complex64 = complex64, 64;
    /// Two float64 an element, the real part first; viewed as `[f64; 2]` or `f64`.
    Complex128 = complex128, 128;
}

impl fmt::Display for DType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Number of elements of a shape, or `None` beyond 2^53 - 1. A zero anywhere makes it zero, but only if
/// the other dimensions' product is in range as well: a huge dimension cannot hide.
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

/// Bytes that a tensor takes, or `None` beyond 2^53 - 1, or where packed bits do not fill whole bytes.
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

    #[test]
    fn every_dtype_of_the_schema_is_known_by_its_name() {
        for code in 0..=u8::MAX {
            let code = Code(code);
            let name = code.variant_name().filter(|_| code != Code::unknown);
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
