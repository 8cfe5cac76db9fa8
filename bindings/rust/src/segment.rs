//! The bytes of one segment of a checkpoint: in place if they are in memory, otherwise read. They
//! are never handed out before they match their checksum, unless the caller has turned that off.

use std::sync::{Arc, OnceLock};

use crate::aligned_bytes::AlignedBytes;
use crate::checksum::crc32;
use crate::error::{Error, Result};
use crate::quote::quote;
use crate::rules::SegmentRecord;
use crate::source::Source;
use crate::tables::{rule, ErrorCode};
use crate::tables::{LENGTH_BYTES, SEGMENT_ALIGNMENT};

// A segment starts at the next multiple of 64 that leaves four bytes, so the gap is shorter than
// this.
const MAX_GAP: usize = (SEGMENT_ALIGNMENT + LENGTH_BYTES) as usize;

// Bytes that are read at once if they are only verified.
const PIECE: u64 = 1 << 20;

pub(crate) struct Segment {
    source: Arc<Source>,
    record: SegmentRecord,
    /// Whether the segment's length precedes it.
    plain: bool,
    /// Whether bytes are verified before they are handed out.
    checksums: bool,
    gap_checked: OnceLock<()>,
    bytes_checked: OnceLock<()>,
    /// The bytes, if the source has none in memory, after the first use.
    copy: OnceLock<AlignedBytes>,
}

impl Segment {
    pub(crate) fn new(
        source: Arc<Source>,
        record: SegmentRecord,
        plain: bool,
        checksums: bool,
    ) -> Self {
        Segment {
            source,
            record,
            plain,
            checksums,
            gap_checked: OnceLock::new(),
            bytes_checked: OnceLock::new(),
            copy: OnceLock::new(),
        }
    }

    /// The bytes, aligned to eight, verified the first time.
    pub(crate) fn bytes(&self) -> Result<&[u8]> {
        let Some(view) = self
            .source
            .view(self.record.offset, self.record.byte_length)
        else {
            return self.copied();
        };
        let view = view?;
        if self.checksums && self.bytes_checked.get().is_none() {
            self.check_gap()?;
            self.compare(crc32(view))?;
            let _ = self.bytes_checked.set(());
        }
        Ok(view)
    }

    fn copied(&self) -> Result<&[u8]> {
        if let Some(copy) = self.copy.get() {
            return Ok(copy.as_slice());
        }
        let mut copy = AlignedBytes::zeros(self.record.byte_length)
            .map_err(|error| error.with_tensor(&self.record.tensor))?;
        self.read_checked(copy.as_mut_slice())?;
        // If two threads arrive at once, both use the first one's bytes.
        Ok(self.copy.get_or_init(|| copy).as_slice())
    }

    /// Fills `target`, which has the length of the segment, with its bytes. After an error its
    /// content must not be used.
    pub(crate) fn read_into(&self, target: &mut [u8]) -> Result<()> {
        let copy = self.copy.get().map(AlignedBytes::as_slice);
        if matches!(*self.source, Source::File(_)) && copy.is_none() {
            return self.read_checked(target);
        }
        target.copy_from_slice(self.bytes()?);
        Ok(())
    }

    fn read_checked(&self, target: &mut [u8]) -> Result<()> {
        if self.checksums {
            self.check_gap()?;
        }
        self.source.read(target, self.record.offset)?;
        if self.checksums {
            self.compare(crc32(target))?;
        }
        Ok(())
    }

    /// Verifies the bytes before the segment and its checksum, now, whatever the options say.
    pub(crate) fn check(&self) -> Result<()> {
        self.check_gap()?;
        let SegmentRecord {
            offset,
            byte_length,
            ..
        } = self.record;
        if let Some(view) = self.source.view(offset, byte_length) {
            self.compare(crc32(view?))?;
            let _ = self.bytes_checked.set(());
            return Ok(());
        }
        let mut piece = vec![0; byte_length.min(PIECE) as usize];
        let mut hasher = crc32fast::Hasher::new();
        let mut done = 0;
        while done < byte_length {
            let length = (byte_length - done).min(PIECE) as usize;
            self.source.read(&mut piece[..length], offset + done)?;
            hasher.update(&piece[..length]);
            done += length as u64;
        }
        self.compare(hasher.finalize())
    }

    /// Verifies the gap before the segment: zeros, except that the last four bytes hold the
    /// segment's length if the file is a plain FlatBuffer.
    fn check_gap(&self) -> Result<()> {
        if self.gap_checked.get().is_some() {
            return Ok(());
        }
        let SegmentRecord {
            gap_start,
            offset,
            byte_length,
            ..
        } = self.record;
        let length = (offset - gap_start) as usize;
        let mut expected = [0; MAX_GAP];
        if self.plain {
            // A plain file is shorter than 2^31 bytes.
            let bytes = (byte_length as u32).to_le_bytes();
            expected[length - bytes.len()..length].copy_from_slice(&bytes);
        }
        let mut actual = [0; MAX_GAP];
        self.source.read(&mut actual[..length], gap_start)?;
        if let Some(i) = (0..length).find(|&i| expected[i] != actual[i]) {
            let at = gap_start + i as u64;
            let message = format!(
                "the bytes before {} are damaged: found {:#04x} at byte {at}, \
                 expected {:#04x}",
                quote(&self.record.tensor),
                actual[i],
                expected[i]
            );
            return Err(Error::format(rule::GAP, message)
                .with_tensor(&self.record.tensor)
                .with_offset(at));
        }
        let _ = self.gap_checked.set(());
        Ok(())
    }

    fn compare(&self, actual: u32) -> Result<()> {
        let expected = self.record.crc32;
        if actual == expected {
            return Ok(());
        }
        let message = format!(
            "the bytes of {} are damaged: checksum mismatch, expected {expected:08x}, \
             found {actual:08x}",
            quote(&self.record.tensor)
        );
        Err(Error::new(ErrorCode::TensorChecksum, message)
            .with_tensor(&self.record.tensor)
            .with_offset(self.record.offset))
    }
}
