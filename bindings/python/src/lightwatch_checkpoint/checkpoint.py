"""Loading: opens a file, verifies its metadata, and hands out its states."""

from __future__ import annotations

import os
import sys
from types import MappingProxyType
from typing import Any, Dict, List, Union

from .config import parse_config
from .decode import decode
from .error import CheckpointError
from .generated.tables import HEAD_LENGTH
from .head import metadata_checksum, read_head
from .layout import is_plain_flatbuffer
from .metadata import Metadata, Segment, StateRecord
from .rules import check_rules
from .source import Source
from .state import LoadedState
from .tensor import SegmentReader, Tensor
from .verifier import verify_flatbuffer

Path = Union[str, bytes, "os.PathLike[Any]"]


def load(path: Path, *, map: bool = True, verify: bool = True) -> Checkpoint:
    """Opens a checkpoint. All of its metadata is verified here, at a cost that does not depend on
    the size of the tensors. A tensor's bytes are verified when they are first handed out, unless
    ``verify`` is False.

    If ``map`` is True, arrays are views of the mapped file. The file must not be truncated while
    they live, because the system would end the process; renaming another file over it is safe. If
    ``map`` is False, each array is read into memory of its own.

    Raises CheckpointError: CKPT_READ, CKPT_NOT_A_CHECKPOINT, CKPT_VERSION, CKPT_FILE_LENGTH,
    CKPT_METADATA_CHECKSUM, CKPT_FLATBUFFER, CKPT_FORMAT, CKPT_FILE_CHANGED or CKPT_BIG_ENDIAN.
    """
    try:
        check_byte_order()
        source = Source(path)
        try:
            metadata = _read_metadata(source)
            segments = check_rules(metadata)
            if map:
                source.map()
            return Checkpoint(source, metadata, segments, verify)
        except BaseException:
            source.close()
            raise
    except CheckpointError as error:
        raise error.with_path(os.fsdecode(path)) from error.__cause__


def verify(path: Path) -> None:
    """Verifies the whole file: its metadata, every tensor's checksum and the bytes between tensors.
    Raises CheckpointError with the first fault."""
    with load(path, map=False) as checkpoint:
        checkpoint.verify()


def check_byte_order() -> None:
    """Raises CKPT_BIG_ENDIAN on such a machine: the format is little-endian, and tensors are read
    in place."""
    if sys.byteorder != "little":
        raise CheckpointError(
            "CKPT_BIG_ENDIAN", "expected a little-endian machine, found a big-endian one"
        )


class Checkpoint:
    """An open checkpoint, and a context manager.

    ``version``; ``epoch``, ``step``; ``loss``, or None if there is none yet; ``metrics``, names to
    floats; ``config_text``, JSON text or None; ``sequence``, the position of this save in the order
    of its run's saves, or None; ``saved_at``, the time of the save in milliseconds since 1970, or
    None; ``model``; ``optimizer`` or None; ``extras``, names to states; ``nbytes``, the file's
    length; ``metadata_length``, in bytes.
    """

    def __init__(
        self, source: Source, metadata: Metadata, segments: Dict[int, Segment], verify: bool
    ) -> None:
        progress = metadata.progress
        self.version = metadata.version
        self.epoch = progress.epoch
        self.step = progress.step
        self.loss = progress.loss
        self.metrics = MappingProxyType(progress.metrics)
        self.config_text = progress.config
        self.sequence = progress.sequence
        self.saved_at = progress.saved_at
        self.nbytes = metadata.file_length
        self.metadata_length = metadata.metadata_length
        self._source = source
        plain = is_plain_flatbuffer(metadata.file_length)
        self._readers = {
            offset: SegmentReader(source, segment, plain, verify)
            for offset, segment in segments.items()
        }
        self.model = self._state(metadata.model)
        self.optimizer = None if metadata.optimizer is None else self._state(metadata.optimizer)
        self.extras = MappingProxyType(
            {record.name: self._state(record) for record in metadata.extras}
        )

    @property
    def config(self) -> Any:
        """The config, parsed anew each time; None if the file has none. Raises CKPT_FORMAT, rule
        ``config.json``, if it is not JSON."""
        return None if self.config_text is None else parse_config(self.config_text)

    @property
    def states(self) -> List[LoadedState]:
        """The model's state, the optimizer's if there is one, then those of the extras."""
        optimizer = [] if self.optimizer is None else [self.optimizer]
        return [self.model, *optimizer, *self.extras.values()]

    def verify(self) -> None:
        """Reads the whole file, and verifies every tensor's checksum and the bytes between tensors.
        Raises the first fault: CKPT_FORMAT, CKPT_TENSOR_CHECKSUM, CKPT_FILE_CHANGED, CKPT_READ."""
        self._source.check_open()
        for reader in self._readers.values():
            reader.check()
        self._source.check_unchanged()

    def close(self) -> None:
        """Releases the file. Arrays that were handed out stay valid; the map is released with the
        last of them. A dropped checkpoint is closed as well."""
        self._source.close()

    def __enter__(self) -> Checkpoint:
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<checkpoint: epoch {self.epoch}, step {self.step}, {self.nbytes} bytes>"

    def _state(self, record: StateRecord) -> LoadedState:
        readers = self._readers
        tensors = {
            tensor.name: Tensor(tensor, readers[tensor.offset]) for tensor in record.tensors
        }
        return LoadedState(record.name, record.kind, record.attributes, tensors)


def _read_metadata(source: Source) -> Metadata:
    start = source.read(0, min(HEAD_LENGTH, source.size))
    head = read_head(start, source.size)
    if head.metadata_length > len(start):
        # The start is not read again, because another process could have changed it.
        data = start + source.read(len(start), head.metadata_length - len(start))
    else:
        data = start[: head.metadata_length]
    actual = metadata_checksum(data, head.crc_offset)
    if actual != head.metadata_crc32:
        raise CheckpointError(
            "CKPT_METADATA_CHECKSUM",
            "the metadata is damaged: checksum mismatch",
            expected=head.metadata_crc32,
            actual=actual,
        )
    verify_flatbuffer(data)
    return decode(data)
