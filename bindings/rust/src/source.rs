//! The origin of a checkpoint's bytes: a mapped file, a file that is read by position, or memory.

use std::fs::File;
use std::io;
use std::path::Path;

use memmap2::{Mmap, MmapOptions};

use crate::aligned_bytes::AlignedBytes;
use crate::error::{Error, Result};
use crate::tables::ErrorCode;

/// Bytes at any position, for any thread, and for several at once.
pub(crate) enum Source {
    Map(Mmap),
    File(OpenFile),
    Memory(AlignedBytes),
}

impl Source {
    /// The bytes in place, if they are in memory. They are aligned in memory as their position is
    /// in the file (up to eight bytes). The range must lie within the file's original length.
    pub(crate) fn view(&self, offset: u64, length: u64) -> Option<Result<&[u8]>> {
        let bytes: &[u8] = match self {
            Source::Map(map) => map,
            Source::Memory(bytes) => bytes.as_slice(),
            Source::File(_) => return None,
        };
        let start = usize::try_from(offset).ok();
        let end = offset
            .checked_add(length)
            .and_then(|end| usize::try_from(end).ok());
        let view = start
            .zip(end)
            .and_then(|(start, end)| bytes.get(start..end));
        Some(view.ok_or_else(|| ended(bytes.len() as u64)))
    }

    /// Fills `target` with the bytes at `offset`.
    pub(crate) fn read(&self, target: &mut [u8], offset: u64) -> Result<()> {
        match self {
            Source::File(file) => file.read(target, offset),
            Source::Map(_) | Source::Memory(_) => {
                if let Some(view) = self.view(offset, target.len() as u64) {
                    target.copy_from_slice(view?);
                }
                Ok(())
            }
        }
    }
}

/// A regular file that is open for reading, and its length at the time it was opened.
pub(crate) struct OpenFile {
    #[cfg(any(unix, windows))]
    file: File,
    #[cfg(not(any(unix, windows)))]
    file: std::sync::Mutex<File>,
    length: u64,
}

impl OpenFile {
    /// Opens a regular file. A folder, FIFO, socket or device is refused, and a FIFO without a writer
    /// does not block.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let mut options = File::options();
        options.read(true);
        #[cfg(unix)]
        {
            use std::os::unix::fs::OpenOptionsExt;
            // Keeps the open of a FIFO from waiting for a writer.
            options.custom_flags(libc::O_NONBLOCK);
        }
        let file = options
            .open(path)
            .map_err(|cause| Error::read("could not be opened", cause))?;
        let metadata = file
            .metadata()
            .map_err(|cause| Error::read("could not be examined", cause))?;
        if !metadata.is_file() {
            let what = if metadata.is_dir() {
                "a folder"
            } else {
                "a device, pipe or socket"
            };
            return Err(Error::new(
                ErrorCode::Read,
                format!("expected a file, found {what}"),
            ));
        }
        #[cfg(not(any(unix, windows)))]
        let file = std::sync::Mutex::new(file);
        Ok(OpenFile {
            file,
            length: metadata.len(),
        })
    }

    /// Length in bytes at the time the file was opened.
    pub(crate) fn length(&self) -> u64 {
        self.length
    }

    /// Fills `target` with the bytes at `offset`.
    pub(crate) fn read(&self, mut target: &mut [u8], mut offset: u64) -> Result<()> {
        while !target.is_empty() {
            match self.read_some(target, offset) {
                Ok(0) => return Err(ended(offset)),
                Ok(count) => {
                    target = &mut target[count..];
                    offset += count as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(Error::read("could not be read", error)),
            }
        }
        Ok(())
    }

    #[cfg(unix)]
    fn read_some(&self, target: &mut [u8], offset: u64) -> io::Result<usize> {
        std::os::unix::fs::FileExt::read_at(&self.file, target, offset)
    }

    #[cfg(windows)]
    fn read_some(&self, target: &mut [u8], offset: u64) -> io::Result<usize> {
        std::os::windows::fs::FileExt::seek_read(&self.file, target, offset)
    }

    #[cfg(not(any(unix, windows)))]
    fn read_some(&self, target: &mut [u8], offset: u64) -> io::Result<usize> {
        use std::io::{Read, Seek, SeekFrom};
        let mut file = self
            .file
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        file.seek(SeekFrom::Start(offset))?;
        file.read(target)
    }

    /// Maps the file, or returns it as it was if the system cannot map it.
    #[cfg(any(unix, windows))]
    pub(crate) fn map(self) -> Source {
        let Ok(length) = usize::try_from(self.length) else {
            return Source::File(self);
        };
        // SAFETY: the map is read-only and stays for as long as the source. That nobody changes the
        // file is asked of the caller in the documentation of `Checkpoint::open`, as nobody can check
        // it; a caller who cannot promise it has `Options::map`.
        match unsafe { MmapOptions::new().len(length).map(&self.file) } {
            Ok(map) => Source::Map(map),
            Err(_) => Source::File(self),
        }
    }

    #[cfg(not(any(unix, windows)))]
    pub(crate) fn map(self) -> Source {
        Source::File(self)
    }
}

fn ended(offset: u64) -> Error {
    let message = format!("the file was truncated to {offset} bytes while it was being read");
    Error::new(ErrorCode::FileChanged, message).with_offset(offset)
}
