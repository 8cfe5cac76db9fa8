//! A verifier for the metadata. It proves that the generated accessors can read it without leaving
//! it, and without reading something that the schema does not describe.
//!
//! The rules are those of the C++ verifier (flatbuffers/verifier.h). They are stricter where C++
//! passes something that would be misread: fields must lie inside their table, elements are
//! aligned, booleans are 0 or 1, and shared parts have a budget. UTF-8 is validated when text is
//! decoded.
//!
//! The verifier of the flatbuffers crate is not used. It would refuse what the format allows (it
//! requires even the elements of an empty vector to be aligned), it reports text that is not UTF-8
//! as one of its own errors, and it cannot leave out the one vector whose bytes are not in the
//! metadata. The tests run it over whole files, and verify that it accepts what this one does.

use std::fmt::{self, Display};

use crate::error::{Error, Result};
use crate::schema::{Field, Holds, Table};
use crate::tables::ErrorCode;
use crate::tables::{self, rule, CHECKPOINT, IDENTIFIER, MAX_DEPTH};

// Longest buffer (exclusive) that offsets reach across.
const MAX_BUFFER_LENGTH: i64 = tables::FLATBUFFER_LIMIT as i64;

const MIN_BUFFER_LENGTH: i64 = tables::MIN_BUFFER_LENGTH as i64;

// A vtable starts with its own length and the length of the table, two bytes each.
const VTABLE_HEADER: i64 = 4;

const MAX_VTABLE_NUMBER: i64 = tables::MAX_VTABLE_NUMBER as i64;

/// Verifies all of the metadata `bytes` against the schema, from its root offset.
pub(crate) fn verify_flatbuffer(bytes: &[u8]) -> Result<()> {
    let length = i64::try_from(bytes.len()).unwrap_or(i64::MAX);
    if !(MIN_BUFFER_LENGTH..MAX_BUFFER_LENGTH).contains(&length) {
        return Err(fault(
            rule::FLATBUFFER_LENGTH,
            format_args!("it is {length} bytes long"),
            0,
        ));
    }
    if bytes[4..8] != *IDENTIFIER {
        let what = format_args!("its identifier is not LWCK");
        return Err(fault(rule::FLATBUFFER_IDENTIFIER, what, 4));
    }
    // Shared tables and strings are legal, and let a small buffer stand for an enormous tree, which
    // doubles at each level. So every visited range counts towards a budget, shared or not.
    let budget = tables::BUDGET_PER_BYTE as i64 * length + tables::BUDGET_BASE as i64;
    let mut verifier = Verifier {
        bytes,
        length,
        depth: 0,
        budget,
    };
    let root = verifier.offset(0, &"the root")?;
    verifier.table(root, &CHECKPOINT)
}

/// Positions and lengths are in bytes. They are signed, because an offset to a vtable can lead
/// before the start.
struct Verifier<'a> {
    bytes: &'a [u8],
    length: i64,
    depth: u64,
    budget: i64,
}

impl Verifier<'_> {
    /// Verifies that `length` bytes at `at` lie in the buffer. As in C++, a length equal to the
    /// buffer's fails.
    fn range(&mut self, at: i64, length: i64, what: &dyn Display) -> Result<()> {
        if !(at >= 0 && length < self.length && at <= self.length - length) {
            return Err(fault(
                rule::FLATBUFFER_RANGE,
                format_args!("{what} of {length} bytes reaches outside the buffer"),
                at,
            ));
        }
        self.budget -= length;
        if self.budget < 0 {
            return Err(fault(
                rule::FLATBUFFER_BUDGET,
                format_args!("it stands for far more than its {} bytes", self.length),
                at,
            ));
        }
        Ok(())
    }

    /// Verifies that a number of `size` bytes at `at` lies in the buffer, aligned to `align`.
    fn inline(&mut self, at: i64, size: i64, align: i64, what: &dyn Display) -> Result<()> {
        if at % align != 0 {
            return Err(fault(
                rule::FLATBUFFER_ALIGNMENT,
                format_args!("{what} is not aligned to {align} bytes"),
                at,
            ));
        }
        self.range(at, size, what)
    }

    /// Verifies the offset at `at`, and returns the position that it leads to.
    fn offset(&mut self, at: i64, what: &dyn Display) -> Result<i64> {
        self.inline(at, 4, 4, &format_args!("the offset of {what}"))?;
        let offset = i64::from(self.u32(at));
        if offset == 0 {
            let what = format_args!("{what} has a null offset");
            return Err(fault(rule::FLATBUFFER_OFFSET, what, at));
        }
        if offset > i64::from(i32::MAX) || at + offset >= self.length {
            return Err(fault(
                rule::FLATBUFFER_OFFSET,
                format_args!("the offset {offset} of {what} leads outside the buffer"),
                at,
            ));
        }
        Ok(at + offset)
    }

    fn table(&mut self, at: i64, table: &Table) -> Result<()> {
        let name = table.name;
        self.inline(at, 4, 4, &name)?;
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(fault(
                rule::FLATBUFFER_DEPTH,
                format_args!("it has tables nested more than {MAX_DEPTH} deep"),
                at,
            ));
        }
        let vtable = at - i64::from(self.u32(at) as i32);
        self.inline(
            vtable,
            VTABLE_HEADER,
            2,
            &format_args!("the vtable of {name}"),
        )?;
        let vtable_length = self.u16(vtable);
        let table_length = self.u16(vtable + 2);
        if !(VTABLE_HEADER..=MAX_VTABLE_NUMBER).contains(&vtable_length) || vtable_length % 2 != 0 {
            return Err(fault(
                rule::FLATBUFFER_VTABLE,
                format_args!("the vtable of {name} has a length of {vtable_length}"),
                vtable,
            ));
        }
        self.range(vtable, vtable_length, &format_args!("the vtable of {name}"))?;
        if table_length < 4 {
            return Err(fault(
                rule::FLATBUFFER_TABLE,
                format_args!("{name} has a length of {table_length}"),
                vtable + 2,
            ));
        }
        self.range(at, table_length, &name)?;
        for field in table.fields {
            let slot = i64::from(field.slot);
            // Both are even: an entry that begins in the vtable ends in it.
            let entry = if slot < vtable_length {
                self.u16(vtable + slot)
            } else {
                0
            };
            if entry != 0 {
                self.field(field, at, entry, table_length, name)?;
            } else if field.required {
                return Err(fault(
                    rule::FLATBUFFER_REQUIRED,
                    format_args!("{name} lacks its required field {}", field.name),
                    at,
                ));
            }
        }
        self.depth -= 1;
        Ok(())
    }

    fn field(
        &mut self,
        field: &Field,
        table: i64,
        entry: i64,
        table_length: i64,
        table_name: &str,
    ) -> Result<()> {
        let name = field.name;
        let size = match field.holds {
            Holds::Number(size) => size,
            Holds::Bool => 1,
            _ => 4,
        };
        if !(4..=MAX_VTABLE_NUMBER).contains(&entry) || entry + size > table_length {
            return Err(fault(
                rule::FLATBUFFER_FIELD,
                format_args!("{table_name}.{name} lies outside its table, at its byte {entry}"),
                table,
            ));
        }
        let at = table + entry;
        match field.holds {
            Holds::Number(size) => self.inline(at, size, size, &name),
            Holds::Bool => {
                self.inline(at, 1, 1, &name)?;
                if self.byte(at) > 1 {
                    return Err(fault(
                        rule::FLATBUFFER_BOOL,
                        format_args!("{table_name}.{name} is {}, neither 0 nor 1", self.byte(at)),
                        at,
                    ));
                }
                Ok(())
            }
            Holds::Text => {
                let at = self.offset(at, &name)?;
                self.text(at, &name)
            }
            Holds::Table(inner) => {
                let at = self.offset(at, &name)?;
                self.table(at, inner)
            }
            Holds::Numbers(size) => {
                let at = self.offset(at, &name)?;
                let length = self.vector(at, size, &name)?;
                if length > 0 && (at + 4) % size != 0 {
                    return Err(fault(
                        rule::FLATBUFFER_ALIGNMENT,
                        format_args!("the elements of {name} are not aligned to {size} bytes"),
                        at + 4,
                    ));
                }
                Ok(())
            }
            Holds::Tables(element) => {
                let at = self.offset(at, &name)?;
                let length = self.vector(at, 4, &name)?;
                for i in 0..length {
                    let target = self.offset(at + 4 + 4 * i, &name)?;
                    self.table(target, element)?;
                }
                Ok(())
            }
            // Its bytes lie beyond the metadata; the format's own rules place them.
            Holds::Segment => self.inline(at, 4, 4, &format_args!("the offset of {name}")),
        }
    }

    fn text(&mut self, at: i64, what: &dyn Display) -> Result<()> {
        let end = at + 4 + self.vector(at, 1, what)?;
        self.range(end, 1, &format_args!("the end of {what}"))?;
        if self.byte(end) != 0 {
            return Err(fault(
                rule::FLATBUFFER_STRING,
                format_args!("{what} does not end with a zero byte"),
                end,
            ));
        }
        Ok(())
    }

    /// Verifies that a vector of elements of `size` bytes lies in the buffer, and returns its
    /// length.
    fn vector(&mut self, at: i64, size: i64, what: &dyn Display) -> Result<i64> {
        self.inline(at, 4, 4, &format_args!("the length of {what}"))?;
        let length = i64::from(self.u32(at));
        // At most 2^35.
        if length * size >= MAX_BUFFER_LENGTH {
            return Err(fault(
                rule::FLATBUFFER_LENGTH,
                format_args!("{what} has {length} elements"),
                at,
            ));
        }
        self.range(at, 4 + length * size, what)?;
        Ok(length)
    }

    // Called only at verified positions. They index a slice, so a mistake would be a panic and
    // never a read elsewhere.

    fn byte(&self, at: i64) -> u8 {
        self.bytes[at as usize]
    }

    fn u16(&self, at: i64) -> i64 {
        let at = at as usize;
        i64::from(u16::from_le_bytes([self.bytes[at], self.bytes[at + 1]]))
    }

    fn u32(&self, at: i64) -> u32 {
        let at = at as usize;
        let bytes = &self.bytes[at..at + 4];
        u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])
    }
}

// Kept out of the hot path: almost all files are valid.
#[cold]
fn fault(rule: &'static str, what: fmt::Arguments<'_>, at: i64) -> Error {
    let message = format!("the metadata is not a valid FlatBuffer: {what} (at byte {at})");
    let error = Error::new(ErrorCode::FlatBuffer, message).with_rule(rule);
    match u64::try_from(at) {
        Ok(at) => error.with_offset(at),
        Err(_) => error,
    }
}

#[cfg(test)]
mod tests {
    use flatbuffers::{InvalidFlatbuffer, VerifierOptions};

    use crate::checkpoint::Checkpoint;
    use crate::generated::lightwatch::format::root_as_checkpoint_with_opts;
    use crate::head::read_head;

    /// Of its own: the same ones each time.
    struct Random(u64);

    impl Random {
        fn below(&mut self, end: usize) -> usize {
            // xorshift64*
            self.0 ^= self.0 >> 12;
            self.0 ^= self.0 << 25;
            self.0 ^= self.0 >> 27;
            (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % end
        }
    }

    fn mutate(bytes: &mut [u8], random: &mut Random) {
        const NUMBERS: [u32; 10] = [0, 1, 2, 4, 8, 64, 0x7fff, 0x8000, i32::MAX as u32, u32::MAX];
        for _ in 0..=random.below(3) {
            let at = random.below(bytes.len());
            match random.below(4) {
                0 => bytes[at] ^= 1 << random.below(8),
                1 => bytes[at] = bytes[at].wrapping_add(1 + 3 * random.below(2) as u8),
                2 => {
                    let at = at / 4 * 4;
                    let number = NUMBERS[random.below(NUMBERS.len())].to_le_bytes();
                    let end = (at + 4).min(bytes.len());
                    bytes[at..end].copy_from_slice(&number[..end - at]);
                }
                // A part of the file over another one.
                _ => {
                    let length = [2, 4, 8][random.below(3)].min(bytes.len() - at);
                    let from = random.below(bytes.len() - length);
                    bytes.copy_within(from..from + length, at);
                }
            }
        }
    }

    /// What this verifier accepts, the one of the flatbuffers crate does, over the whole file; and none
    /// of what either is given makes anything panic.
    #[test]
    fn it_is_stricter_than_the_runtimes_own() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../test/golden/v1.ckpt");
        let golden = std::fs::read(path).unwrap();
        let head = read_head(&golden[..4096], golden.len() as u64).unwrap();
        let options = VerifierOptions {
            max_tables: usize::MAX,
            max_apparent_size: usize::MAX,
            ..VerifierOptions::default()
        };
        assert!(root_as_checkpoint_with_opts(&options, &golden).is_ok());
        let mut random = Random(20_250_923);
        let (mut accepted, mut refused) = (0, 0);
        for number in 0..20_000 {
            let mut bytes = golden.clone();
            mutate(&mut bytes[..head.metadata_length], &mut random);
            let crc =
                crate::checksum::metadata_checksum(&bytes[..head.metadata_length], head.crc_offset);
            bytes[head.crc_offset..head.crc_offset + 4].copy_from_slice(&crc.to_le_bytes());
            match Checkpoint::from_bytes(&bytes) {
                Ok(_) => {
                    accepted += 1;
                    match root_as_checkpoint_with_opts(&options, &bytes) {
                        Ok(_) => {}
                        // An empty vector, whose elements it wants aligned.
                        Err(InvalidFlatbuffer::Unaligned { unaligned_type, .. })
                            if unaligned_type == "u64" => {}
                        Err(error) => panic!("mutation {number}: {error}"),
                    }
                }
                Err(_) => refused += 1,
            }
        }
        assert!(
            accepted > 1000 && refused > 1000,
            "{accepted} accepted, {refused} refused"
        );
    }
}
