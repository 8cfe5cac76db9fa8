"""The metadata of a checkpoint as plain values."""

from __future__ import annotations

from typing import Any, Dict, List, NamedTuple, Optional, Tuple

from .dtype import DTypeInfo

# The names of the model's and the optimizer's state in a file.
MODEL = "model"
OPTIMIZER = "optimizer"


class TensorRecord(NamedTuple):
    """A tensor as the file describes it. Lengths and positions are in bytes."""

    name: str
    dtype: DTypeInfo
    shape: Tuple[int, ...]
    offset: int
    byte_length: int
    crc32: int
    # Position of the ``data`` vector, or -1 if there is none.
    vector_offset: int


class StateRecord(NamedTuple):
    """A state. Its tensors are in the order of the state dict."""

    name: str
    kind: Optional[str]
    attributes: Dict[str, Any]
    tensors: List[TensorRecord]


class Progress(NamedTuple):
    """How far a training run has come."""

    epoch: int
    step: int
    loss: Optional[float]
    metrics: Dict[str, float]
    #: JSON text.
    config: Optional[str]
    # Position in the order of the run's saves.
    sequence: Optional[int] = None
    #: In milliseconds since 1970.
    saved_at: Optional[int] = None


class Metadata(NamedTuple):
    """The whole metadata."""

    version: int
    metadata_length: int
    file_length: int
    progress: Progress
    model: StateRecord
    optimizer: Optional[StateRecord]
    extras: List[StateRecord]

    @property
    def states(self) -> List[StateRecord]:
        """All states, in the order of their segments in the file."""
        return [self.model, *([] if self.optimizer is None else [self.optimizer]), *self.extras]


class Segment(NamedTuple):
    """The bytes of one tensor, or of several over the same memory. The gap before it begins at
    ``gap_start`` and ends at ``offset``, both in bytes. ``state`` and ``tensor`` are the first over
    it."""

    gap_start: int
    offset: int
    byte_length: int
    crc32: int
    state: str
    tensor: str
