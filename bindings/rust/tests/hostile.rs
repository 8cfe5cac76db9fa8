//! Files that are no sound checkpoint are refused, whatever is wrong with them.

mod files;

use files::{golden, refusal, repository, Scratch};
use lightwatch_checkpoint::Checkpoint;

#[test]
fn a_file_cut_at_any_length_is_refused() {
    let scratch = Scratch::new();
    let bytes = golden();
    let path = scratch.file("cut.ckpt", &bytes);
    Checkpoint::open(&path).unwrap();
    let file = std::fs::File::options().write(true).open(&path).unwrap();
    for length in (0..bytes.len()).rev() {
        file.set_len(length as u64).unwrap();
        let expected = if length < 8 {
            "CKPT_NOT_A_CHECKPOINT"
        } else {
            "CKPT_FILE_LENGTH"
        };
        assert_eq!(refusal(Checkpoint::open(&path)).0, expected, "{length}");
        assert_eq!(
            refusal(Checkpoint::from_bytes(&bytes[..length])).0,
            expected,
            "{length}"
        );
    }
}

#[test]
fn a_file_that_goes_on_is_refused() {
    let mut bytes = golden();
    bytes.push(0);
    assert_eq!(
        refusal(Checkpoint::from_bytes(&bytes)).0,
        "CKPT_FILE_LENGTH"
    );
}

#[test]
fn every_bit_counts() {
    let sound = golden();
    let mut bytes = sound.clone();
    for at in 0..bytes.len() {
        for bit in 0..8 {
            bytes[at] ^= 1 << bit;
            let result = Checkpoint::from_bytes(&bytes).and_then(|checkpoint| checkpoint.verify());
            assert!(result.is_err(), "bit {bit} of byte {at}");
            bytes[at] ^= 1 << bit;
        }
    }
    assert_eq!(bytes, sound);
}

#[test]
fn other_files_are_told_by_what_they_look_like() {
    let message = |bytes: &[u8]| {
        let error = Checkpoint::from_bytes(bytes).unwrap_err();
        assert_eq!(error.code().as_str(), "CKPT_NOT_A_CHECKPOINT");
        error.to_string()
    };
    assert!(message(b"").contains("the file is empty"));
    assert!(message(b"PK\x03\x04rest").contains("zip archive"));
    assert!(message(b"\x10\0\0\0\0\0\0\0{\"a\":1}").contains("safetensors"));
    assert!(message(b"\x80\x02rest of it").contains("pickle"));
    assert!(message(b"\x89HDF\r\n\x1a\nrest").contains("HDF5"));
    assert!(message(b"{\"a\": 1, \"b\": 2}").contains("JSON"));
    // What stands there does not reach a terminal.
    assert!(message(b"0000\x1b[2Jrest").contains(r"\u{1b}[2J"));
}

#[test]
fn a_newer_version_is_told_with_both_numbers() {
    let mut bytes = golden();
    let at = field(&bytes, 4);
    bytes[at..at + 4].copy_from_slice(&7u32.to_le_bytes());
    let error = Checkpoint::from_bytes(&bytes).unwrap_err();
    assert_eq!(error.code().as_str(), "CKPT_VERSION");
    let text = error.to_string();
    assert!(
        text.contains("version 7") && text.contains("version 1"),
        "{text}"
    );
}

#[test]
fn metadata_that_is_changed_and_sealed_again_is_refused_by_its_rule() {
    let change = |slot: usize, value: &[u8]| {
        let mut bytes = golden();
        let at = field(&bytes, slot);
        bytes[at..at + value.len()].copy_from_slice(value);
        seal(&mut bytes);
        refusal(Checkpoint::from_bytes(&bytes))
    };
    let rule = |rule: &str| ("CKPT_FORMAT", Some(rule.to_owned()));
    let beyond = (1i64 << 53).to_le_bytes();
    assert_eq!(change(12, &beyond), rule("integer.safe"));
    assert_eq!(change(14, &i64::MIN.to_le_bytes()), rule("integer.safe"));
    let flatbuffer = |rule: &str| ("CKPT_FLATBUFFER", Some(format!("flatbuffer.{rule}")));
    assert_eq!(change(22, &0u32.to_le_bytes()), flatbuffer("offset"));
    assert_eq!(change(22, &u32::MAX.to_le_bytes()), flatbuffer("offset"));
    assert_eq!(change(18, &2u32.to_le_bytes()), flatbuffer("alignment"));
}

/// Position of a field of the root table.
fn field(bytes: &[u8], slot: usize) -> usize {
    let u32_at = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
    let root = u32_at(0) as usize;
    let vtable = (root as i64 - i64::from(u32_at(root) as i32)) as usize + slot;
    root + usize::from(u16::from_le_bytes([bytes[vtable], bytes[vtable + 1]]))
}

/// Makes the metadata's checksum fit again.
fn seal(bytes: &mut [u8]) {
    let (length, checksum) = (field(bytes, 6), field(bytes, 8));
    let length = u32::from_le_bytes(bytes[length..length + 4].try_into().unwrap()) as usize;
    bytes[checksum..checksum + 4].fill(0);
    let crc = crc32fast::hash(&bytes[..length]);
    bytes[checksum..checksum + 4].copy_from_slice(&crc.to_le_bytes());
}

#[test]
fn a_path_to_no_file_is_refused() {
    let scratch = Scratch::new();
    let error = Checkpoint::open(scratch.path("nothing\n.ckpt")).unwrap_err();
    assert_eq!(error.code().as_str(), "CKPT_READ");
    assert!(error.to_string().contains(r"nothing\u{a}.ckpt"), "{error}");
    let cause = std::error::Error::source(&error).unwrap();
    let cause = cause.downcast_ref::<std::io::Error>().unwrap();
    assert_eq!(cause.kind(), std::io::ErrorKind::NotFound);
    assert_eq!(
        refusal(Checkpoint::open(repository("test"))),
        ("CKPT_READ", None)
    );
}

#[cfg(unix)]
#[test]
fn a_pipe_or_device_is_refused_and_does_not_block() {
    let scratch = Scratch::new();
    let fifo = scratch.path("fifo");
    assert!(std::process::Command::new("mkfifo")
        .arg(&fifo)
        .status()
        .unwrap()
        .success());
    let socket = scratch.path("socket");
    let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    for path in [fifo, socket, "/dev/null".into(), "/dev/zero".into()] {
        let (send, receive) = std::sync::mpsc::channel();
        let shown = path.display().to_string();
        // In a thread of its own: a test that hangs says nothing.
        std::thread::spawn(move || send.send(Checkpoint::open(path).map(|_| ())));
        let result = receive.recv_timeout(std::time::Duration::from_secs(10));
        assert_eq!(
            refusal(result.expect(&shown)),
            ("CKPT_READ", None),
            "{shown}"
        );
    }
}
