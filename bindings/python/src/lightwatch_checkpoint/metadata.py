"""What the metadata of a checkpoint says, as plain values."""

from __future__ import annotations

from typing import Any, Dict, List, NamedTuple, Optional, Tuple

from .dtype import DTypeInfo

#: The model's name, and the optimizer's, in the file.
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
    #: Position of the ``data`` vector, or -1 where there is none.
    vector_offset: int


class StateRecord(NamedTuple):
    """A state; its tensors in the order of the state dict."""

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
    #: Place in the order of the saves of its run.
    sequence: Optional[int] = None
    #: In milliseconds since 1970.
    saved_at: Optional[int] = None


class Metadata(NamedTuple):
    """All of it."""

    version: int
    metadata_length: int
    file_length: int
    progress: Progress
    model: StateRecord
    optimizer: Optional[StateRecord]
    extras: List[StateRecord]

    @property
    def states(self) -> List[StateRecord]:
        """In the order in which their segments stand in the file."""
        return [self.model, *([] if self.optimizer is None else [self.optimizer]), *self.extras]


class Segment(NamedTuple):
    """The bytes of one tensor, or of several over the same memory. In bytes; from ``gap_start`` to
    ``offset`` is the gap before it. ``state`` and ``tensor`` are the first over it."""

    gap_start: int
    offset: int
    byte_length: int
    crc32: int
    state: str
    tensor: str
