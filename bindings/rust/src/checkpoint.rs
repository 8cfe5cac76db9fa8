//! An open checkpoint.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use crate::aligned_bytes::AlignedBytes;
use crate::error::Result;
use crate::layout::is_plain_flatbuffer;
use crate::metadata::{Metadata, Progress, StateRecord};
use crate::name_map::NameMap;
use crate::read_metadata::read_metadata;
use crate::rules::Segments;
use crate::segment::Segment;
use crate::source::{OpenFile, Source};
use crate::state::State;
use crate::tensor::Tensor;

/// Options for opening a checkpoint; made by [`Checkpoint::options`].
#[derive(Clone, Copy, Debug)]
#[must_use]
pub struct Options {
    map: bool,
    checksums: bool,
}

impl Options {
    /// Whether the file is mapped (the default). Otherwise tensors are read into memory on demand.
    /// Turn it off for files that other programs may truncate or overwrite, and for network file
    /// systems. A file that the system cannot map is read in any case.
    pub fn map(mut self, map: bool) -> Self {
        self.map = map;
        self
    }

    /// Whether a tensor's checksum, and the bytes before it, are verified before its bytes are
    /// first handed out (the default). The metadata is always verified in full.
    pub fn checksums(mut self, checksums: bool) -> Self {
        self.checksums = checksums;
        self
    }

    /// Opens a checkpoint; see [`Checkpoint::open`].
    ///
    /// # Errors
    ///
    /// Those of [`Checkpoint::open`].
    pub fn open(self, path: impl AsRef<Path>) -> Result<Checkpoint> {
        let path = path.as_ref();
        self.open_file(path).map_err(|error| error.with_path(path))
    }

    fn open_file(self, path: &Path) -> Result<Checkpoint> {
        let file = OpenFile::open(path)?;
        // Read and not mapped, so that verified bytes cannot change any more.
        let (metadata, segments) =
            read_metadata(file.length(), |target, offset| file.read(target, offset))?;
        let source = if self.map {
            file.map()
        } else {
            Source::File(file)
        };
        Ok(Checkpoint::new(metadata, segments, source, self))
    }

    /// Opens a checkpoint in memory; see [`Checkpoint::from_bytes`].
    ///
    /// # Errors
    ///
    /// Those of [`Checkpoint::from_bytes`].
    pub fn from_bytes(self, bytes: &[u8]) -> Result<Checkpoint> {
        let length = bytes.len() as u64;
        let (metadata, segments) = read_metadata(length, |target, offset| {
            let offset = offset as usize;
            target.copy_from_slice(&bytes[offset..offset + target.len()]);
            Ok(())
        })?;
        let mut memory = AlignedBytes::zeros(length)?;
        memory.as_mut_slice().copy_from_slice(bytes);
        Ok(Checkpoint::new(
            metadata,
            segments,
            Source::Memory(memory),
            self,
        ))
    }
}

/// A checkpoint: the state of a training run in one file.
///
/// It owns the map (or the open file), and everything that it hands out borrows from it. So views
/// end with it, which the compiler enforces. Dropping it unmaps and closes the file. Threads can
/// share it.
pub struct Checkpoint {
    version: u32,
    metadata_length: u64,
    byte_length: u64,
    epoch: i64,
    step: i64,
    loss: Option<f64>,
    metrics: NameMap<f64>,
    config: Option<String>,
    sequence: Option<u64>,
    saved_at: Option<u64>,
    model: State,
    optimizer: Option<State>,
    extras: NameMap<State>,
    segments: Vec<Arc<Segment>>,
}

impl Checkpoint {
    /// Opens a checkpoint: reads its metadata, verifies all of it, and maps the file. It touches no
    /// tensor, so the cost does not depend on their size.
    ///
    /// While a file is mapped, no program may truncate it or write to it. A read beyond its new end
    /// kills the process (SIGBUS), as with every map, and bytes may change under a view. It is safe
    /// to delete the file, or to rename another one over it, as this format's writers do. If you
    /// cannot promise this, use [`Options::map`].
    ///
    /// # Errors
    ///
    /// `CKPT_READ` if there is no regular file that can be read (a FIFO does not block), and every
    /// code for a file that is not a valid checkpoint. No file makes it panic.
    pub fn open(path: impl AsRef<Path>) -> Result<Checkpoint> {
        Checkpoint::options().open(path)
    }

    /// Opens a checkpoint in memory. It makes a copy of `bytes` that is aligned for views.
    ///
    /// # Errors
    ///
    /// Every code for bytes that are not a valid checkpoint.
    pub fn from_bytes(bytes: &[u8]) -> Result<Checkpoint> {
        Checkpoint::options().from_bytes(bytes)
    }

    /// Options for opening a checkpoint: `Checkpoint::options().map(false).open(path)`.
    pub fn options() -> Options {
        Options {
            map: true,
            checksums: true,
        }
    }

    fn new(metadata: Metadata, segments: Segments, source: Source, options: Options) -> Self {
        let Metadata {
            version,
            metadata_length,
            file_length,
            progress,
            ..
        } = metadata;
        let Progress {
            epoch,
            step,
            loss,
            metrics,
            config,
            sequence,
            saved_at,
        } = progress;
        let Segments { records, by_offset } = segments;
        let source = Arc::new(source);
        let plain = is_plain_flatbuffer(file_length);
        let segments: Vec<Arc<Segment>> = records
            .into_iter()
            .map(|record| {
                Arc::new(Segment::new(
                    Arc::clone(&source),
                    record,
                    plain,
                    options.checksums,
                ))
            })
            .collect();
        let state = |record: StateRecord| {
            let mut tensors = NameMap::new();
            for tensor in record.tensors {
                // Every tensor's offset is that of a segment, because the rules made the segments
                // from the tensors.
                let segment = Arc::clone(&segments[by_offset[&tensor.offset]]);
                tensors.push(Arc::clone(&tensor.name), Tensor::new(tensor, segment));
            }
            State {
                name: record.name,
                kind: record.kind,
                attributes: record.attributes,
                tensors,
            }
        };
        let model = state(metadata.model);
        let optimizer = metadata.optimizer.map(state);
        let mut extras = NameMap::new();
        for record in metadata.extras {
            extras.push(Arc::clone(&record.name), state(record));
        }
        Checkpoint {
            version,
            metadata_length,
            byte_length: file_length,
            epoch,
            step,
            loss,
            metrics,
            config,
            sequence,
            saved_at,
            model,
            optimizer,
            extras,
            segments,
        }
    }

    /// Version of the format.
    pub fn version(&self) -> u32 {
        self.version
    }

    /// Length of the metadata in bytes.
    pub fn metadata_length(&self) -> u64 {
        self.metadata_length
    }

    /// Length of the file in bytes.
    pub fn byte_length(&self) -> u64 {
        self.byte_length
    }

    /// The epoch, at most 2^53 - 1 either way.
    pub fn epoch(&self) -> i64 {
        self.epoch
    }

    /// Optimizer steps taken, at most 2^53 - 1 either way.
    pub fn step(&self) -> i64 {
        self.step
    }

    /// The loss, if there is one yet. Any double, including NaN and the infinities.
    pub fn loss(&self) -> Option<f64> {
        self.loss
    }

    /// Metrics in the order of the file.
    pub fn metrics(&self) -> &NameMap<f64> {
        &self.metrics
    }

    /// The run's config as JSON text, as the trainer gave it. Not validated as JSON.
    pub fn config(&self) -> Option<&str> {
        self.config.as_deref()
    }

    /// The position of this save in the order of its run's saves, if the writer gave one. A run
    /// that went back to an earlier step resumes from the checkpoint with the largest one. At most
    /// 2^53 - 1.
    pub fn sequence(&self) -> Option<u64> {
        self.sequence
    }

    /// Time of the save by the writer's clock, in milliseconds since 1970, if the writer gave one.
    /// At most 2^53 - 1.
    pub fn saved_at(&self) -> Option<u64> {
        self.saved_at
    }

    /// The model's state.
    pub fn model(&self) -> &State {
        &self.model
    }

    /// The optimizer's state, if there is one.
    pub fn optimizer(&self) -> Option<&State> {
        self.optimizer.as_ref()
    }

    /// Further states by name, in the order of the file: a scheduler's, a sampler's, `ema`.
    pub fn extras(&self) -> &NameMap<State> {
        &self.extras
    }

    /// All states in the order of the file: the model's, the optimizer's, the extras.
    pub fn states(&self) -> impl Iterator<Item = &State> {
        std::iter::once(&self.model)
            .chain(&self.optimizer)
            .chain(self.extras.values())
    }

    /// Verifies every byte of every tensor, in the order of the file, whatever the options say.
    ///
    /// # Errors
    ///
    /// Those of [`Tensor::bytes`], for the first damaged tensor.
    pub fn verify(&self) -> Result<()> {
        self.segments.iter().try_for_each(|segment| segment.check())
    }
}

impl fmt::Debug for Checkpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Checkpoint")
            .field("version", &self.version)
            .field("byte_length", &self.byte_length)
            .field("epoch", &self.epoch)
            .field("step", &self.step)
            .field("loss", &self.loss)
            .field("metrics", &self.metrics)
            .field("model", &self.model)
            .field("optimizer", &self.optimizer)
            .field("extras", &self.extras)
            .finish_non_exhaustive()
    }
}
