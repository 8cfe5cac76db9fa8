//! The types that a tensor's bytes can be viewed as.

use crate::dtype::DType;

mod sealed {
    pub trait Sealed {}
}

/// A type as which a tensor can be viewed in place. Any bits are a value of it, and it is at most
/// aligned to eight bytes; so no other crate can add one.
///
/// | type | dtypes |
/// | --- | --- |
/// | `f64` | float64, complex128 (two an element) |
/// | `f32` | float32, complex64 (two an element) |
/// | `[f64; 2]`, `[f32; 2]` | complex128, complex64: real part, imaginary part |
/// | `i8`, `i16`, `i32`, `i64` | the integer of that name |
/// | `u64`, `u32` | the integer of that name |
/// | `u16` | uint16, and the bits of float16 and bfloat16 |
/// | `u8` | uint8, bool, and the bits of the float8, float6 and float4 dtypes (the last two packed) |
pub trait Element: sealed::Sealed + Copy + 'static {
    /// Whether a tensor of this dtype can be viewed as this type.
    fn holds(dtype: DType) -> bool;
}

macro_rules! elements {
    ($($type:ty: $($dtype:ident)|+;)*) => {
        $(
            impl sealed::Sealed for $type {}

            impl Element for $type {
                fn holds(dtype: DType) -> bool {
                    matches!(dtype, $(DType::$dtype)|+)
                }
            }
        )*
    };
}

elements! {
    f64: Float64 | Complex128;
    f32: Float32 | Complex64;
    [f64; 2]: Complex128;
    [f32; 2]: Complex64;
    i8: Int8;
    i16: Int16;
    i32: Int32;
    i64: Int64;
    u64: Uint64;
    u32: Uint32;
    u16: Uint16 | Float16 | BFloat16;
    u8: Uint8 | Bool | Float8E4M3Fn | Float8E5M2 | Float8E4M3FnUz | Float8E5M2FnUz | Float8E8M0Fnu
        | Float6E2M3Fn | Float6E3M2Fn | Float4E2M1Fn;
}

/// Bytes as elements, in place; `None` where they are not aligned, or not a whole number of elements.
pub(crate) fn cast<T: Element>(bytes: &[u8]) -> Option<&[T]> {
    let size = std::mem::size_of::<T>();
    let pointer = bytes.as_ptr().cast::<T>();
    let aligned = pointer as usize % std::mem::align_of::<T>() == 0;
    if bytes.len() % size != 0 || !aligned {
        return None;
    }
    // SAFETY: the bytes are initialised, aligned for T, and as long as so many T; any bits are a T, as
    // the trait is sealed and implemented for numbers and pairs of them alone; and the slice borrows
    // from `bytes`.
    Some(unsafe { std::slice::from_raw_parts(pointer, bytes.len() / size) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_aligned_whole_elements_are_cast() {
        let words = [0x0102_0304_0506_0708u64, 9];
        let (_, bytes, _) = unsafe { words.align_to::<u8>() };
        assert_eq!(cast::<u64>(bytes), Some(&words[..]));
        assert_eq!(cast::<u32>(&bytes[4..12]), Some(&[0x0102_0304, 9][..]));
        assert_eq!(cast::<u32>(&bytes[2..6]), None);
        assert_eq!(cast::<u16>(&bytes[..3]), None);
        assert_eq!(cast::<[f64; 2]>(&bytes[..8]), None);
        assert_eq!(cast::<f64>(&bytes[8..8]), Some(&[][..]));
    }

    #[test]
    fn every_dtype_can_be_viewed() {
        for &dtype in DType::ALL {
            let types = [
                f64::holds(dtype),
                f32::holds(dtype),
                i8::holds(dtype),
                i16::holds(dtype),
                i32::holds(dtype),
                i64::holds(dtype),
                u64::holds(dtype),
                u32::holds(dtype),
                u16::holds(dtype),
                u8::holds(dtype),
            ];
            assert_eq!(types.into_iter().filter(|&is| is).count(), 1, "{dtype}");
        }
    }
}
