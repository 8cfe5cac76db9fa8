//! The types that a tensor's bytes can be viewed as.

use crate::tables::{DType, View};

mod sealed {
    pub trait Sealed {}
}

/// A type that a tensor can be viewed as in place. Any bits are a value of it, and its alignment is
/// at most eight bytes. So no other crate can implement it.
///
/// | type | dtypes |
/// | --- | --- |
/// | `f64` | float64, complex128 (two an element) |
/// | `f32` | float32, complex64 (two an element) |
/// | `[f64; 2]`, `[f32; 2]` | complex128, complex64: real part, imaginary part |
/// | `i8`, `i16`, `i32`, `i64` | the integer of that name |
/// | `u64`, `u32` | the integer of that name |
/// | `u16` | uint16, and the bits of float16 and bfloat16 |
/// | `u8` | uint8, bool, and the bits of whatever else has at most eight an element (packed below eight) |
pub trait Element: sealed::Sealed + Copy + 'static {
    /// Whether a tensor of this dtype can be viewed as this type.
    fn holds(dtype: DType) -> bool;
}

macro_rules! elements {
    ($($type:ty: $view:ident;)*) => {
        $(
            impl sealed::Sealed for $type {}

            impl Element for $type {
                fn holds(dtype: DType) -> bool {
                    dtype.view() == View::$view
                }
            }
        )*
    };
}

elements! {
    f64: F64;
    f32: F32;
    i8: I8;
    i16: I16;
    i32: I32;
    i64: I64;
    u64: U64;
    u32: U32;
    u16: U16;
    u8: U8;
}

impl sealed::Sealed for [f64; 2] {}

impl Element for [f64; 2] {
    fn holds(dtype: DType) -> bool {
        dtype == DType::Complex128
    }
}

impl sealed::Sealed for [f32; 2] {}

impl Element for [f32; 2] {
    fn holds(dtype: DType) -> bool {
        dtype == DType::Complex64
    }
}

/// Bytes as elements, in place; `None` if they are not aligned, or not a whole number of elements.
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
