"""Decodes the bytes of the metadata into plain values, after the verifier has passed them. Only
this file and encode touch the generated classes. The rules then validate what the values mean for
each other."""

from __future__ import annotations

from typing import Any, Dict, List, Optional

import numpy as np

from .description import slot
from .dtype import dtype_of_code
from .error import CheckpointError, broken, quote
from .generated.Checkpoint import Checkpoint
from .generated.Entry import Entry
from .generated.State import State
from .generated.Tensor import Tensor
from .generated.tables import MAX_RANK, MAX_SAFE_INTEGER
from .generated.Value import Value
from .generated.ValueKind import ValueKind
from .metadata import Metadata, Progress, StateRecord, TensorRecord
from .tensor_tables import BULK, TensorTables
from .text import decode_text

_TENSORS = slot("State", "tensors")
_DATA = slot("Tensor", "data")
_LIST = slot("Value", "list")
_MAP = slot("Value", "map")


def decode(data: bytes) -> Metadata:
    """Decodes metadata that the verifier has passed. Raises CKPT_FORMAT if a value has no meaning
    by itself: text that is not UTF-8, an unknown dtype, an integer beyond 2^53 - 1, a duplicate
    key."""
    root = Checkpoint.GetRootAs(data, 0)
    file_length = _safe(root.FileLength(), "file_length")
    progress = _progress(root)
    model = _state(root.Model(), data)
    optimizer = root.Optimizer()
    return Metadata(
        root.Version(),
        root.MetadataLength(),
        file_length,
        progress,
        model,
        None if optimizer is None else _state(optimizer, data),
        [_state(root.Extras(i), data) for i in range(root.ExtrasLength())],
    )


def _progress(root: Checkpoint) -> Progress:
    metrics: Dict[str, float] = {}
    for i in range(root.MetricsLength()):
        metric = root.Metrics(i)
        name = decode_text(metric.Name(), "the name of a metric")
        value = metric.Value()
        if value is None:
            raise broken("metric.value", f"the metric {quote(name)} has no value")
        if name in metrics:
            raise broken("metric.unique", f"the metric {quote(name)} appears twice", actual=name)
        metrics[name] = value
    epoch = _safe(root.Epoch(), "epoch")
    step = _safe(root.Step(), "step")
    config = root.Config()
    sequence = root.Sequence()
    saved_at = root.SavedAt()
    return Progress(
        epoch,
        step,
        root.Loss(),
        metrics,
        None if config is None else decode_text(config, "the config"),
        None if sequence is None else _safe(sequence, "sequence"),
        None if saved_at is None else _safe(saved_at, "saved_at"),
    )


def _state(state: State, data: bytes) -> StateRecord:
    name = decode_text(state.Name(), "the name of a state")
    attributes: Dict[str, Any] = {}
    for i in range(state.AttributesLength()):
        _add_entry(attributes, state.Attributes(i))
    count = state.TensorsLength()
    tensors = None
    if count >= BULK:
        table = state._tab
        start = table.Vector(table.Offset(_TENSORS))
        tensors = _tensors_in_bulk(TensorTables(data, start, count))
    if tensors is None:
        tensors = [_tensor(state.Tensors(i), name) for i in range(count)]
    kind = state.Kind()
    return StateRecord(
        name, None if kind is None else decode_text(kind, "the kind of a state"), attributes, tensors
    )


def _tensors_in_bulk(tables: TensorTables) -> Optional[List[TensorRecord]]:
    """The tensors, or None if one of them must be refused."""
    columns = tables.read()
    if columns is None:
        return None
    dtypes = [dtype_of_code(code) for code in columns.dtypes]
    if None in dtypes:
        return None
    try:
        names = [name.decode("utf-8") for name in columns.names]
    except UnicodeDecodeError:
        return None
    return list(map(TensorRecord, names, dtypes, *columns[2:]))


def _tensor(tensor: Tensor, state: str) -> TensorRecord:
    name = decode_text(tensor.Name(), "the name of a tensor")
    code = tensor.Dtype()
    dtype = dtype_of_code(code)
    at = {"state": state, "tensor": name}
    if dtype is None:
        raise broken(
            "tensor.dtype",
            f"the tensor {quote(name)} has the unknown dtype {code}",
            actual=code,
            **at,
        )
    rank = tensor.ShapeLength()
    if rank > MAX_RANK:
        raise broken(
            "tensor.rank",
            f"the tensor {quote(name)} has {rank} dimensions",
            expected=MAX_RANK,
            actual=rank,
            **at,
        )
    shape = tuple(_safe(tensor.Shape(i), "a dimension", name) for i in range(rank))
    offset = _safe(tensor.Offset(), "an offset", name)
    byte_length = _safe(tensor.ByteLength(), "a length", name)
    table = tensor._tab
    entry = table.Offset(_DATA)
    # Unsigned: a backward offset becomes a huge forward one, and is refused.
    vector = table.Indirect(table.Pos + entry) if entry else -1
    return TensorRecord(name, dtype, shape, offset, byte_length, tensor.Crc32(), vector)


def _add_entry(entries: Dict[str, Any], entry: Entry) -> None:
    key = decode_text(entry.Key(), "a key")
    if key in entries:
        raise broken("attribute.unique", f"the key {quote(key)} appears twice", actual=key)
    entries[key] = _value(entry.Value())


def _value(value: Value) -> Any:
    kind = value.Kind()
    boolean = value.Boolean()
    integer = value.Integer()
    uinteger = value.Uinteger()
    number = value.Number()
    text = value.Text()
    has_list = value._tab.Offset(_LIST) != 0
    has_map = value._tab.Offset(_MAP) != 0
    scalars = sum(x is not None for x in (boolean, integer, uinteger, number, text))
    if scalars + has_list + has_map == (0 if kind == ValueKind.Null else 1):
        if kind == ValueKind.Null:
            return None
        if kind == ValueKind.Boolean and boolean is not None:
            return boolean
        if kind == ValueKind.Integer and integer is not None:
            return _safe(integer, "an integer among the attributes")
        if kind == ValueKind.Int64 and integer is not None:
            return np.int64(integer)
        if kind == ValueKind.Uint64 and uinteger is not None and uinteger >= 2**63:
            return np.uint64(uinteger)
        if kind == ValueKind.Float64 and number is not None:
            return number
        if kind == ValueKind.Text and text is not None:
            return decode_text(text, "a text among the attributes")
        if kind == ValueKind.List and has_list:
            return [_value(value.List(i)) for i in range(value.ListLength())]
        if kind == ValueKind.Map and has_map:
            entries: Dict[str, Any] = {}
            for i in range(value.MapLength()):
                _add_entry(entries, value.Map(i))
            return entries
    raise broken(
        "value.kind", f"an attribute of kind {kind} does not hold what its kind says", actual=kind
    )


def _safe(value: int, what: str, tensor: Optional[str] = None) -> int:
    if -MAX_SAFE_INTEGER <= value <= MAX_SAFE_INTEGER:
        return value
    of = "" if tensor is None else f" of the tensor {quote(tensor)}"
    error: CheckpointError = broken(
        "integer.safe", f"{what}{of} is {value}, beyond 2^53 - 1", tensor=tensor, actual=value
    )
    raise error
