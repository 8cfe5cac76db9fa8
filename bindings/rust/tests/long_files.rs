//! Files around the length at which a file is no FlatBuffer any more, and one of more than 4 GiB. Made by
//! the TypeScript library, sparse; run with `LIGHTWATCH_LARGE=1`.

#![cfg(unix)]

mod files;

use std::path::{Path, PathBuf};
use std::process::Command;

use files::{refusal, repository, Scratch};
use lightwatch_checkpoint::Checkpoint;

const GIB: u64 = 1 << 30;

/// Makes the file, or says why it cannot be made here.
fn make(scratch: &Scratch, name: &str, lengths: &[u64]) -> Option<PathBuf> {
    if std::env::var_os("LIGHTWATCH_LARGE").is_none() {
        eprintln!("skipped: LIGHTWATCH_LARGE is not set");
        return None;
    }
    let path = scratch.path(name);
    let made = Command::new("npx")
        .arg("tsx")
        .arg("bindings/make-long-file.ts")
        .arg(&path)
        .args(lengths.iter().map(u64::to_string))
        .current_dir(repository("."))
        .status();
    match made {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            eprintln!("skipped: there is no Node here");
            None
        }
        made => {
            assert!(made.unwrap().success());
            Some(path)
        }
    }
}

fn check(path: &Path, lengths: &[u64]) {
    for map in [true, false] {
        let checkpoint = Checkpoint::options().map(map).open(path).unwrap();
        checkpoint.verify().unwrap();
        let tensors = checkpoint.model().tensors();
        assert_eq!(tensors.len(), lengths.len());
        for (tensor, &length) in tensors.values().zip(lengths) {
            assert_eq!(tensor.byte_length(), length);
            // Read, a long one is verified piece by piece; it need not fit into memory.
            if map || length < GIB {
                let bytes = tensor.as_slice::<u8>().unwrap();
                assert_eq!(bytes.len() as u64, length);
                assert_eq!(
                    bytes.iter().position(|&byte| byte != 0),
                    Some(bytes.len() - 1)
                );
                assert_eq!(bytes.last(), Some(&0xa5));
            }
        }
        let last = tensors.values().last().unwrap();
        assert_eq!(last.offset() + last.byte_length(), checkpoint.byte_length());
    }
}

#[test]
fn a_file_of_more_than_4_gib_is_read() {
    let scratch = Scratch::new();
    let lengths = [2 * GIB + 4_000, 2 * GIB + (100 << 20), 200];
    let Some(path) = make(&scratch, "long.ckpt", &lengths) else {
        return;
    };
    check(&path, &lengths);
    let checkpoint = Checkpoint::open(&path).unwrap();
    assert!(checkpoint.model().tensor("1").unwrap().offset() > 1 << 31);
    assert!(checkpoint.model().tensor("2").unwrap().offset() > 1 << 32);
    damage_is_found(&path);
}

/// Beyond the reach of 32 bits as well.
fn damage_is_found(path: &Path) {
    use std::os::unix::fs::FileExt;
    let last = Checkpoint::open(path)
        .unwrap()
        .model()
        .tensor("2")
        .unwrap()
        .offset();
    let file = std::fs::File::options().write(true).open(path).unwrap();
    let refused = || {
        let checkpoint = Checkpoint::open(path).unwrap();
        let tensor = checkpoint.model().tensor("2").unwrap();
        refusal(tensor.bytes())
    };
    file.write_all_at(&[1], last - 1).unwrap();
    assert_eq!(refused(), ("CKPT_FORMAT", Some("gap".to_owned())));
    file.write_all_at(&[0, 1], last - 1).unwrap();
    assert_eq!(refused(), ("CKPT_TENSOR_CHECKSUM", None));
}

#[test]
fn files_around_the_limit_of_flatbuffers_are_read() {
    let scratch = Scratch::new();
    let limit = (1u64 << 31) - 1;
    let Some(path) = make(&scratch, "short.ckpt", &[1]) else {
        return;
    };
    let start = Checkpoint::open(path)
        .unwrap()
        .model()
        .tensor("0")
        .unwrap()
        .offset();
    // The longest file that is a FlatBuffer, and the shortest that is none.
    for (name, length) in [
        ("plain.ckpt", limit - 1 - start),
        ("longer.ckpt", limit - start),
    ] {
        let path = make(&scratch, name, &[length]).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().len(), start + length);
        check(&path, &[length]);
        std::fs::remove_file(path).unwrap();
    }
}
