//! Views of tensors: in place, of the right type, shared, from any thread.

mod files;

use std::fmt::Debug;

use files::{golden, in_every_way, refusal, repository, Scratch};
use lightwatch_checkpoint::{Checkpoint, DType, Element, Tensor};

/// The elements, which lie where the bytes do.
fn viewed<T: Element + Debug + PartialEq, const N: usize>(tensor: &Tensor, of: fn([u8; N]) -> T) {
    let bytes = tensor.bytes().unwrap();
    let view = tensor.as_slice::<T>().unwrap();
    assert_eq!(view.as_ptr().cast(), bytes.as_ptr());
    assert_eq!(std::mem::size_of_val(view), bytes.len());
    let expected: Vec<T> = bytes
        .chunks_exact(N)
        .map(|b| of(b.try_into().unwrap()))
        .collect();
    // By their text: NaN is not equal to itself.
    assert_eq!(
        format!("{view:?}"),
        format!("{expected:?}"),
        "{}",
        tensor.name()
    );
}

#[test]
fn every_dtype_is_viewed_in_place() {
    // Dtypes that are younger than the golden file are in one of the corpus.
    let young = in_every_way(&repository(
        "test/conformance/valid/integers-of-4-bits.ckpt",
    ));
    let old = in_every_way(&repository("test/golden/v1.ckpt"));
    for (old, young) in old.iter().zip(&young) {
        for &dtype in DType::ALL {
            let name = format!("dtype/{dtype}");
            let tensor = old.model().tensor(&name);
            let tensor = tensor.or_else(|_| young.model().tensor(&name)).unwrap();
            assert_eq!((tensor.dtype(), tensor.element_count()), (dtype, 8));
            assert_eq!(tensor.byte_length(), u64::from(dtype.bits()));
            match dtype {
                DType::Float64 => viewed(tensor, f64::from_le_bytes),
                DType::Float32 => viewed(tensor, f32::from_le_bytes),
                DType::Float16 | DType::BFloat16 | DType::Uint16 => {
                    viewed(tensor, u16::from_le_bytes);
                }
                DType::Int8 => viewed(tensor, i8::from_le_bytes),
                DType::Int16 => viewed(tensor, i16::from_le_bytes),
                DType::Int32 => viewed(tensor, i32::from_le_bytes),
                DType::Int64 => viewed(tensor, i64::from_le_bytes),
                DType::Uint32 => viewed(tensor, u32::from_le_bytes),
                DType::Uint64 => viewed(tensor, u64::from_le_bytes),
                DType::Complex64 => {
                    viewed(tensor, f32::from_le_bytes);
                    viewed(tensor, |bytes: [u8; 8]| {
                        let part = |i| f32::from_le_bytes(bytes[i..i + 4].try_into().unwrap());
                        [part(0), part(4)]
                    });
                }
                DType::Complex128 => {
                    viewed(tensor, f64::from_le_bytes);
                    viewed(tensor, |bytes: [u8; 16]| {
                        let part = |i| f64::from_le_bytes(bytes[i..i + 8].try_into().unwrap());
                        [part(0), part(8)]
                    });
                }
                _ => viewed(tensor, u8::from_le_bytes),
            }
        }
    }
}

#[test]
fn a_tensor_is_not_viewed_as_what_it_is_not() {
    let checkpoint = Checkpoint::from_bytes(&golden()).unwrap();
    let tensor = |name: &str| checkpoint.model().tensor(name).unwrap();
    let mismatch = ("CKPT_STATE_MISMATCH", None);
    assert_eq!(refusal(tensor("dtype/float32").as_slice::<f64>()), mismatch);
    assert_eq!(refusal(tensor("dtype/float32").as_slice::<u32>()), mismatch);
    assert_eq!(refusal(tensor("dtype/uint8").as_slice::<i8>()), mismatch);
    assert_eq!(
        refusal(tensor("dtype/float64").as_slice::<[f32; 2]>()),
        mismatch
    );
    assert_eq!(refusal(tensor("empty").as_slice::<i64>()), mismatch);
    assert_eq!(tensor("empty").as_slice::<f32>().unwrap(), []);
    assert_eq!(tensor("scalar").as_slice::<f64>().unwrap().len(), 1);
}

#[test]
fn a_map_begins_where_a_page_does() {
    let checkpoint = Checkpoint::open(repository("test/golden/v1.ckpt")).unwrap();
    for tensor in checkpoint
        .model()
        .tensors()
        .values()
        .filter(|t| t.byte_length() > 0)
    {
        assert_eq!(
            tensor.bytes().unwrap().as_ptr() as usize % 64,
            0,
            "{}",
            tensor.name()
        );
    }
}

#[test]
fn tied_weights_are_one_memory() {
    for checkpoint in in_every_way(&repository("test/golden/v1.ckpt")) {
        let embedding = checkpoint.model().tensor("embedding.weight").unwrap();
        let head = checkpoint.model().tensor("head.weight").unwrap();
        assert!(embedding.shares_memory_with(head));
        assert_eq!(
            embedding.bytes().unwrap().as_ptr(),
            head.bytes().unwrap().as_ptr()
        );
        assert_ne!(embedding.shape(), head.shape());
        let average = checkpoint
            .optimizer()
            .unwrap()
            .tensors()
            .values()
            .next()
            .unwrap();
        assert!(!embedding.shares_memory_with(average));
    }
}

#[test]
fn a_tensor_is_read_into_memory_of_the_callers() {
    for checkpoint in in_every_way(&repository("test/golden/v1.ckpt")) {
        let tensor = checkpoint.model().tensor("embedding.weight").unwrap();
        let mut target = [0; 60];
        tensor.read_into(&mut target).unwrap();
        assert_eq!(target, tensor.bytes().unwrap());
        // Again, now that the bytes are in memory.
        target.fill(0);
        tensor.read_into(&mut target).unwrap();
        assert_eq!(target, tensor.bytes().unwrap());
        let mismatch = ("CKPT_STATE_MISMATCH", None);
        assert_eq!(refusal(tensor.read_into(&mut [0; 59])), mismatch);
        assert_eq!(refusal(tensor.read_into(&mut [0; 61])), mismatch);
    }
}

#[test]
fn a_checkpoint_is_read_by_many_threads() {
    for checkpoint in in_every_way(&repository("test/golden/v1.ckpt")) {
        let tensors: Vec<&Tensor> = checkpoint
            .states()
            .flat_map(|state| state.tensors().values())
            .collect();
        let views = |_: usize| -> Vec<*const u8> {
            tensors
                .iter()
                .map(|tensor| tensor.bytes().unwrap().as_ptr())
                .collect()
        };
        let all: Vec<Vec<usize>> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..4)
                .map(|i| scope.spawn(move || views(i).into_iter().map(|p| p as usize).collect()))
                .collect();
            threads
                .into_iter()
                .map(|thread| thread.join().unwrap())
                .collect()
        });
        assert!(all.iter().all(|one| *one == all[0]));
    }
}

#[test]
fn a_name_that_is_not_there_is_told_with_some_that_are() {
    let checkpoint = Checkpoint::from_bytes(&golden()).unwrap();
    let error = checkpoint.model().tensor("x\u{1b}[2J").unwrap_err();
    assert_eq!(error.code().as_str(), "CKPT_NO_SUCH_TENSOR");
    assert_eq!(error.tensor(), Some("x\u{1b}[2J"));
    let text = error.to_string();
    assert!(
        text.contains("\"embedding.weight\"") && text.contains("it has 38"),
        "{text}"
    );
    assert!(!text.contains('\u{1b}'), "{text:?}");
    let none = checkpoint.extras()["scheduler"]
        .tensor("x")
        .unwrap_err()
        .to_string();
    assert!(none.contains("it has 0 ("), "{none}");
}

#[test]
fn views_outlive_the_name_of_the_file() {
    let scratch = Scratch::new();
    let path = scratch.file("run.ckpt", &golden());
    let checkpoint = Checkpoint::open(&path).unwrap();
    let other = scratch.file("next.ckpt", b"something else");
    std::fs::rename(other, &path).unwrap();
    checkpoint.verify().unwrap();
    std::fs::remove_file(&path).unwrap();
    assert_eq!(
        checkpoint
            .model()
            .tensor("dtype/uint8")
            .unwrap()
            .bytes()
            .unwrap()
            .len(),
        8
    );
}
