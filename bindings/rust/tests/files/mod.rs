//! Files for tests: the golden one, and folders that go away.

#![allow(dead_code)] // Each test program uses a part of it.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use lightwatch_checkpoint::Checkpoint;

/// A file of the repository.
pub fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .join(path)
}

/// The golden file of format version 1.
pub fn golden() -> Vec<u8> {
    std::fs::read(repository("test/golden/v1.ckpt")).unwrap()
}

/// A folder of its own, removed when it is dropped.
pub struct Scratch(PathBuf);

impl Scratch {
    pub fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("lightwatch-checkpoint-{}-{count}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir(&path).unwrap();
        Scratch(path)
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// A file with these bytes.
    pub fn file(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, bytes).unwrap();
        path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A checkpoint opened in every way that there is: mapped, read, in memory.
pub fn in_every_way(path: &Path) -> [Checkpoint; 3] {
    let bytes = std::fs::read(path).unwrap();
    [
        Checkpoint::open(path).unwrap(),
        Checkpoint::options().map(false).open(path).unwrap(),
        Checkpoint::from_bytes(&bytes).unwrap(),
    ]
}

/// The code and rule of what has to be refused.
pub fn refusal<T>(result: lightwatch_checkpoint::Result<T>) -> (&'static str, Option<String>) {
    match result {
        Ok(_) => panic!("it was not refused"),
        Err(error) => (error.code().as_str(), error.rule().map(str::to_owned)),
    }
}
