"""Encodes plain values into the bytes of the metadata. No byte of a tensor passes through here. The
metadata is built with open fields where a value depends on its own length. Then the layout is
planned, and the open fields are patched in place. The checksums come last, after the segments have
been written.

The order of building is that of the TypeScript library, so that both write the same bytes for the
same state.
"""

from __future__ import annotations

import struct
from typing import Any, Dict, List, NamedTuple, Optional, Sequence, Tuple

import flatbuffers
import numpy as np

from .description import slot
from .dtype import DTypeInfo
from .generated import Checkpoint, Entry, Metric, State, Tensor, Value
from .generated.ValueKind import ValueKind
from .generated.tables import FORMAT_VERSION, IDENTIFIER, LENGTH_BYTES, MAX_SAFE_INTEGER
from .head import metadata_checksum
from .layout import is_plain_flatbuffer, plan_layout
from .metadata import Progress

_OFFSET = slot("Tensor", "offset")
_BYTE_LENGTH = slot("Tensor", "byte_length")
_CRC32 = slot("Tensor", "crc32")
_DATA = slot("Tensor", "data")
_METADATA_LENGTH = slot("Checkpoint", "metadata_length")
_METADATA_CRC32 = slot("Checkpoint", "metadata_crc32")
_FILE_LENGTH = slot("Checkpoint", "file_length")

# Roughly the bytes of a tensor's table, name and shape. If too few, the builder doubles its buffer.
_BYTES_PER_TENSOR = 128

_U16 = struct.Struct("<H")
_U32 = struct.Struct("<I")
_I32 = struct.Struct("<i")
_U64 = struct.Struct("<Q")


class TensorContent(NamedTuple):
    """A tensor to be written; ``segment`` is the index of its segment."""

    name: str
    dtype: DTypeInfo
    shape: Tuple[int, ...]
    segment: int


class StateContent(NamedTuple):
    """A state to be written. The code that collects it has validated it."""

    name: str
    kind: Optional[str]
    attributes: Dict[str, Any]
    tensors: List[TensorContent]


class Content(NamedTuple):
    """What a file will hold. Segment lengths are in bytes, in the order in which tensors first use
    them."""

    progress: Progress
    model: StateContent
    optimizer: Optional[StateContent]
    extras: List[StateContent]
    segment_lengths: List[int]


class UnsealedMetadata:
    """Metadata that is complete except for its checksums. ``offsets`` of the segments and lengths
    are in bytes. ``plain`` says whether tensors have ``data``."""

    def __init__(self, content: Content) -> None:
        states = [content.model, *content.extras]
        if content.optimizer is not None:
            states.append(content.optimizer)
        count = sum(len(state.tensors) for state in states)
        build = _Build(count)
        root = build.root(content)
        data = build.finish(root)
        self._data = data
        self._root = len(data) - root
        # The builder's offsets count from the end.
        self._placed = [(len(data) - table, segment) for table, segment in build.placed]
        self.length = len(data)
        self.offsets, self.file_length = plan_layout(len(data), content.segment_lengths)
        self.plain = is_plain_flatbuffer(self.file_length)
        for table, segment in self._placed:
            offset = self.offsets[segment]
            _U64.pack_into(data, self._position(table, _OFFSET), offset)
            _U64.pack_into(
                data, self._position(table, _BYTE_LENGTH), content.segment_lengths[segment]
            )
            at = self._position(table, _DATA)
            _U32.pack_into(data, at, offset - LENGTH_BYTES - at if self.plain else 0)
        if not self.plain:
            self._remove_data()
        _U32.pack_into(data, self._position(self._root, _METADATA_LENGTH), self.length)
        _U64.pack_into(data, self._position(self._root, _FILE_LENGTH), self.file_length)

    def seal(self, checksums: Sequence[int]) -> bytes:
        """Writes the checksum of each segment and of the metadata, and returns the finished bytes.
        """
        data = self._data
        for table, segment in self._placed:
            _U32.pack_into(data, self._position(table, _CRC32), checksums[segment])
        at = self._position(self._root, _METADATA_CRC32)
        _U32.pack_into(data, at, metadata_checksum(data, at))
        return bytes(data)

    def _position(self, table: int, field_slot: int) -> int:
        vtable = table - _I32.unpack_from(self._data, table)[0]
        return table + _U16.unpack_from(self._data, vtable + field_slot)[0]

    def _remove_data(self) -> None:
        """Removes ``data`` from every tensor by clearing its entry in the vtable. The metadata
        keeps its length, so the planned layout stays valid. (Only tensors have a vtable with all of
        these fields, so no other table shares it.)"""
        for table, _ in self._placed:
            vtable = table - _I32.unpack_from(self._data, table)[0]
            _U16.pack_into(self._data, vtable + _DATA, 0)


class _Vtables(dict):
    """The builder's vtables. The builder compares only the positions of fields, so two tables of
    different lengths can share a vtable that has the wrong length for one of them. Here the length
    is part of the key, as in the builders for other languages."""

    def __init__(self, builder: flatbuffers.Builder) -> None:
        super().__init__()
        self._builder = builder
        self._length = 0

    def get(self, key: Any, default: Any = None) -> Any:
        builder = self._builder
        self._length = builder.Offset() - builder.objectEnd
        return super().get((key, self._length), default)

    def __setitem__(self, key: Any, offset: int) -> None:
        super().__setitem__((key, self._length), offset)


class _Build:
    """One run of the builder."""

    def __init__(self, tensors: int) -> None:
        self._builder = flatbuffers.Builder(1024 + _BYTES_PER_TENSOR * tensors)
        self._builder.vtables = _Vtables(self._builder)
        # Stores every field, even with its default value, because open fields are patched later.
        self._builder.ForceDefaults(True)
        #: The builder's offset of each tensor's table, and its segment.
        self.placed: List[Tuple[int, int]] = []

    def finish(self, root: int) -> bytearray:
        self._builder.Finish(root, IDENTIFIER)
        return bytearray(self._builder.Output())

    def root(self, content: Content) -> int:
        builder = self._builder
        progress = content.progress
        model = self._state(content.model)
        optimizer = None if content.optimizer is None else self._state(content.optimizer)
        extras = [self._state(state) for state in content.extras]
        extras_vector = self._offsets(Checkpoint.StartExtrasVector, extras) if extras else None
        metrics = [self._metric(name, value) for name, value in progress.metrics.items()]
        metrics_vector = self._offsets(Checkpoint.StartMetricsVector, metrics) if metrics else None
        config = None if progress.config is None else builder.CreateString(progress.config)

        Checkpoint.Start(builder)
        Checkpoint.AddVersion(builder, FORMAT_VERSION)
        Checkpoint.AddMetadataLength(builder, 0)
        Checkpoint.AddMetadataCrc32(builder, 0)
        Checkpoint.AddFileLength(builder, 0)
        Checkpoint.AddEpoch(builder, progress.epoch)
        Checkpoint.AddStep(builder, progress.step)
        if progress.loss is not None:
            Checkpoint.AddLoss(builder, progress.loss)
        if metrics_vector is not None:
            Checkpoint.AddMetrics(builder, metrics_vector)
        if config is not None:
            Checkpoint.AddConfig(builder, config)
        Checkpoint.AddModel(builder, model)
        if optimizer is not None:
            Checkpoint.AddOptimizer(builder, optimizer)
        if extras_vector is not None:
            Checkpoint.AddExtras(builder, extras_vector)
        if progress.sequence is not None:
            Checkpoint.AddSequence(builder, progress.sequence)
        if progress.saved_at is not None:
            Checkpoint.AddSavedAt(builder, progress.saved_at)
        return Checkpoint.End(builder)

    def _metric(self, name: str, value: float) -> int:
        builder = self._builder
        at = builder.CreateString(name)
        Metric.Start(builder)
        Metric.AddName(builder, at)
        Metric.AddValue(builder, value)
        return Metric.End(builder)

    def _state(self, state: StateContent) -> int:
        builder = self._builder
        tables = [self._tensor(tensor) for tensor in state.tensors]
        tensors = self._offsets(State.StartTensorsVector, tables)
        entries = self._entries(state.attributes)
        attributes = self._offsets(State.StartAttributesVector, entries) if entries else None
        name = builder.CreateString(state.name)
        kind = None if state.kind is None else builder.CreateString(state.kind)
        State.Start(builder)
        State.AddName(builder, name)
        if kind is not None:
            State.AddKind(builder, kind)
        if attributes is not None:
            State.AddAttributes(builder, attributes)
        State.AddTensors(builder, tensors)
        return State.End(builder)

    def _tensor(self, tensor: TensorContent) -> int:
        builder = self._builder
        name = builder.CreateString(tensor.name)
        Tensor.StartShapeVector(builder, len(tensor.shape))
        for length in reversed(tensor.shape):
            builder.PrependUint64(length)
        shape = builder.EndVector()
        Tensor.Start(builder)
        Tensor.AddName(builder, name)
        Tensor.AddDtype(builder, tensor.dtype.code)
        Tensor.AddShape(builder, shape)
        Tensor.AddOffset(builder, 0)
        Tensor.AddByteLength(builder, 0)
        Tensor.AddCrc32(builder, 0)
        Tensor.AddData(builder, 0)
        table = Tensor.End(builder)
        self.placed.append((table, tensor.segment))
        return table

    def _entries(self, entries: Dict[str, Any]) -> List[int]:
        builder = self._builder
        tables = []
        for key, item in entries.items():
            key_at = builder.CreateString(key)
            value = self._value(item)
            Entry.Start(builder)
            Entry.AddKey(builder, key_at)
            Entry.AddValue(builder, value)
            tables.append(Entry.End(builder))
        return tables

    def _value(self, value: Any) -> int:
        builder = self._builder
        kind, add, field = self._field(value)
        Value.Start(builder)
        Value.AddKind(builder, kind)
        if add is not None:
            add(builder, field)
        return Value.End(builder)

    def _field(self, value: Any) -> Tuple[int, Any, Any]:
        """The kind, its field, and the value for it; what the value refers to has been built."""
        if value is None:
            return ValueKind.Null, None, None
        if isinstance(value, bool):
            return ValueKind.Boolean, Value.AddBoolean, value
        if isinstance(value, np.uint64):
            return ValueKind.Uint64, Value.AddUinteger, int(value)
        if isinstance(value, np.int64):
            return ValueKind.Int64, Value.AddInteger, int(value)
        if isinstance(value, int):
            assert abs(value) <= MAX_SAFE_INTEGER, "attributes were not checked"
            return ValueKind.Integer, Value.AddInteger, value
        if isinstance(value, float):
            return ValueKind.Float64, Value.AddNumber, value
        if isinstance(value, str):
            return ValueKind.Text, Value.AddText, self._builder.CreateString(value)
        if isinstance(value, list):
            items = [self._value(item) for item in value]
            return ValueKind.List, Value.AddList, self._offsets(Value.StartListVector, items)
        entries = self._entries(value)
        return ValueKind.Map, Value.AddMap, self._offsets(Value.StartMapVector, entries)

    def _offsets(self, start: Any, offsets: List[int]) -> int:
        """A vector of offsets."""
        builder = self._builder
        start(builder, len(offsets))
        for offset in reversed(offsets):
            builder.PrependUOffsetTRelative(offset)
        return builder.EndVector()
