//! Damage of a file's tensors, and files that change while they are open.

mod files;

use std::path::Path;

use files::{golden, in_every_way, refusal, Scratch};
use lightwatch_checkpoint::Checkpoint;

/// The golden file with one bit turned, `before` bytes in front of a tensor's first byte.
fn damaged(scratch: &Scratch, tensor: &str, before: u64) -> std::path::PathBuf {
    let mut bytes = golden();
    let sound = Checkpoint::from_bytes(&bytes).unwrap();
    let at = sound.model().tensor(tensor).unwrap().offset() - before;
    bytes[at as usize] ^= 0x10;
    scratch.file("damaged.ckpt", &bytes)
}

/// The same, with the checks of tensors turned off.
fn unchecked_in_every_way(path: &Path) -> [Checkpoint; 3] {
    let options = Checkpoint::options().checksums(false);
    let bytes = std::fs::read(path).unwrap();
    [
        options.open(path).unwrap(),
        options.map(false).open(path).unwrap(),
        options.from_bytes(&bytes).unwrap(),
    ]
}

#[test]
fn a_damaged_tensor_is_never_handed_out() {
    let scratch = Scratch::new();
    let path = damaged(&scratch, "embedding.weight", 0);
    let checksum = || ("CKPT_TENSOR_CHECKSUM", None);
    for checkpoint in in_every_way(&path) {
        let tensor = checkpoint.model().tensor("embedding.weight").unwrap();
        // Each time, and over the same memory by its other name.
        for _ in 0..2 {
            assert_eq!(refusal(tensor.bytes()), checksum());
            assert_eq!(refusal(tensor.as_slice::<f32>()), checksum());
            assert_eq!(refusal(tensor.read_into(&mut [0; 60])), checksum());
        }
        assert_eq!(
            refusal(checkpoint.model().tensor("head.weight").unwrap().bytes()),
            checksum()
        );
        assert_eq!(refusal(checkpoint.verify()), checksum());
        let error = tensor.bytes().unwrap_err();
        assert_eq!(
            (error.tensor(), error.offset()),
            (Some("embedding.weight"), Some(tensor.offset()))
        );
        // The others are sound.
        assert!(checkpoint
            .model()
            .tensor("dtype/float64")
            .unwrap()
            .bytes()
            .is_ok());
    }
    for checkpoint in unchecked_in_every_way(&path) {
        let tensor = checkpoint.model().tensor("embedding.weight").unwrap();
        let view = tensor.bytes().unwrap();
        let sound = Checkpoint::from_bytes(&golden()).unwrap();
        let expected = sound
            .model()
            .tensor("embedding.weight")
            .unwrap()
            .bytes()
            .unwrap();
        assert_eq!(view[0], expected[0] ^ 0x10);
        assert_eq!(view[1..], expected[1..]);
        assert_eq!(refusal(checkpoint.verify()), checksum());
    }
}

#[test]
fn the_bytes_before_a_tensor_are_checked() {
    let scratch = Scratch::new();
    // The length, and the zeros in front of it.
    for before in [1, 4, 5] {
        let path = damaged(&scratch, "dtype/float32", before);
        let gap = || ("CKPT_FORMAT", Some("gap".to_owned()));
        for checkpoint in in_every_way(&path) {
            let tensor = checkpoint.model().tensor("dtype/float32").unwrap();
            assert_eq!(refusal(tensor.bytes()), gap());
            assert_eq!(refusal(tensor.read_into(&mut [0; 32])), gap());
            assert_eq!(refusal(checkpoint.verify()), gap());
            assert_eq!(
                tensor.bytes().unwrap_err().offset(),
                Some(tensor.offset() - before)
            );
        }
        for checkpoint in unchecked_in_every_way(&path) {
            assert!(checkpoint
                .model()
                .tensor("dtype/float32")
                .unwrap()
                .bytes()
                .is_ok());
            assert_eq!(refusal(checkpoint.verify()), gap());
        }
    }
}

#[test]
fn a_file_that_is_truncated_while_it_is_read_is_an_error() {
    let scratch = Scratch::new();
    let path = scratch.file("run.ckpt", &golden());
    let checkpoint = Checkpoint::options().map(false).open(&path).unwrap();
    let tensor = checkpoint.model().tensor("embedding.weight").unwrap();
    let kept = tensor.bytes().unwrap();
    let file = std::fs::File::options().write(true).open(&path).unwrap();
    file.set_len(tensor.offset() + 10).unwrap();
    // What was read is there still; the rest is not.
    assert_eq!(tensor.bytes().unwrap(), kept);
    let changed = ("CKPT_FILE_CHANGED", None);
    assert_eq!(
        refusal(checkpoint.model().tensor("dtype/uint8").unwrap().bytes()),
        changed
    );
    assert_eq!(refusal(checkpoint.verify()), changed);
}
