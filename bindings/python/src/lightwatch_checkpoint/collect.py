"""The plan of one save: the validated states that a trainer gave, and the memory that each segment
comes from. Arrays over exactly the same memory share one. No tensor is copied here."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from typing import Any, Callable, Dict, Hashable, Iterator, List, NamedTuple, Tuple

import numpy as np

from .attributes import copy_attributes, describe
from .config import config_text
from .dtype import DTYPES, DTypeInfo, dtype_of_array, tensor_byte_length
from .encode import Content, StateContent, TensorContent
from .error import quote
from .generated.tables import MAX_RANK, MAX_SAFE_INTEGER
from .metadata import MODEL, OPTIMIZER, Progress
from .state import RawTensor
from .tensor import Tensor
from .text import name_fault, text_fault

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)

# Bytes of an array with strides that are gathered at once.
_GATHER = 1024 * 1024


class SegmentSource(NamedTuple):
    """The source of a segment's bytes, and the tensor that messages name."""

    state: str
    tensor: str
    byte_length: int
    # Fetches the array. Called when the segment's turn comes, and again to verify it.
    fetch: Callable[[], np.ndarray]
    # Whether ``fetch`` returns memory of the caller's, which may have changed meanwhile.
    in_memory: bool


class Collected(NamedTuple):
    """One tensor, validated."""

    dtype: DTypeInfo
    shape: Tuple[int, ...]
    fetch: Callable[[], np.ndarray]
    #: Tensors with the same origin are over the same memory.
    origin: Hashable
    in_memory: bool


def collect(
    model: Any,
    optimizer: Any,
    *,
    epoch: Any,
    step: Any,
    loss: Any,
    metrics: Any,
    config: Any,
    extras: Any,
    sequence: Any = None,
    saved_at: Any = None,
) -> Tuple[Content, List[SegmentSource]]:
    """Collects and validates everything. Raises a TypeError or ValueError that names what is wrong.
    """
    progress = Progress(
        _integer(epoch, "epoch"),
        _integer(step, "step"),
        None if loss is None else _number(loss, "loss"),
        _metrics(metrics),
        None if config is None else config_text(config),
        None if sequence is None else _natural(sequence, "sequence"),
        None if saved_at is None else _natural(_milliseconds(saved_at), "saved_at"),
    )
    named = _extras(extras)
    collector = _Collector()
    model_content = collector.state(model, MODEL)
    optimizer_content = None if optimizer is None else collector.state(optimizer, OPTIMIZER)
    extra_contents = [collector.state(state, name) for name, state in named.items()]
    sources = collector.sources
    lengths = [source.byte_length for source in sources]
    return Content(progress, model_content, optimizer_content, extra_contents, lengths), sources


def pieces(array: np.ndarray) -> Iterator[memoryview]:
    """The bytes of an array, row-major and little-endian, in pieces. Contiguous arrays give views
    of their memory; others are gathered a piece at a time. A piece is valid until the next one."""
    little = array.dtype.byteorder != ">"
    if array.size == 0:
        return
    if array.flags.c_contiguous and little:
        yield memoryview(array.reshape(-1).view(np.uint8))
        return
    # As raw bits: NumPy's iterator does not take every dtype of other packages.
    bits = array if not little else array.view(_BITS[array.dtype.itemsize])
    target = bits.dtype.newbyteorder("<")
    for piece in np.nditer(
        bits,
        flags=["external_loop", "buffered"],
        op_flags=[["readonly"]],
        op_dtypes=[target],
        casting="equiv",
        order="C",
        buffersize=max(1, _GATHER // bits.dtype.itemsize),
    ):
        yield memoryview(np.ascontiguousarray(piece).view(np.uint8))


_BITS = {1: np.uint8, 2: np.uint16, 4: np.uint32, 8: np.uint64, 16: np.complex128}


class _Collector:
    def __init__(self) -> None:
        self.sources: List[SegmentSource] = []
        self._known: Dict[Hashable, int] = {}

    def state(self, state: Any, name: str) -> StateContent:
        shown = name if name in (MODEL, OPTIMIZER) else quote(name)
        if not isinstance(state, Mapping):
            raise TypeError(
                f"{shown} must be a mapping of names to arrays, or a State, not {describe(state)}"
            )
        kind = getattr(state, "kind", None)
        if kind is not None:
            if not isinstance(kind, str):
                raise TypeError(f"the kind of {shown} must be a string, not {describe(kind)}")
            fault = text_fault(kind)
            if fault is not None:
                raise ValueError(f"the kind of {shown} {fault}")
        attributes = copy_attributes(getattr(state, "attributes", {}), f"{name}.attributes")
        tensors = []
        # A State's own tensors, which tell more than the arrays that it hands out.
        given = getattr(state, "tensors", state)
        if not isinstance(given, Mapping):
            given = state
        for key, value in given.items():
            fault = name_fault(key) if isinstance(key, str) else "is not a string"
            if fault is not None:
                raise ValueError(f"the name of a tensor of {shown}, {quote(str(key))}, {fault}")
            tensor = collect_tensor(value, f"the tensor {quote(key)} of {shown}")
            byte_length = tensor_byte_length(tensor.dtype, tensor.shape)
            assert byte_length is not None
            origin = (tensor.origin, byte_length)
            segment = self._known.get(origin)
            if segment is None:
                segment = self._known[origin] = len(self.sources)
                self.sources.append(
                    SegmentSource(name, key, byte_length, tensor.fetch, tensor.in_memory)
                )
            tensors.append(TensorContent(str(key), tensor.dtype, tensor.shape, segment))
        return StateContent(name, None if kind is None else str(kind), attributes, tensors)


def collect_tensor(value: Any, what: str) -> Collected:
    """Validates one tensor of a trainer."""
    if isinstance(value, Tensor):
        return Collected(value.info, value.shape, value.raw, value.origin, False)
    if isinstance(value, RawTensor):
        return _raw(value, what)
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(value, torch.Tensor):
        from .torch import collect_torch

        return collect_torch(value, what)
    if isinstance(value, np.generic):
        value = np.asarray(value)
    if not isinstance(value, np.ndarray):
        raise TypeError(f"{what} must be an array, not {describe(value)}")
    dtype = dtype_of_array(value)
    if dtype is None:
        raise TypeError(f"{what} has the dtype {value.dtype}, which a file cannot hold")
    return in_memory(dtype, checked_shape(value.shape, dtype, what), value)


def in_memory(dtype: DTypeInfo, shape: Tuple[int, ...], array: np.ndarray) -> Collected:
    """A tensor over an array's own memory."""
    address = array.__array_interface__["data"][0]
    strides = None if array.flags.c_contiguous else array.strides
    layout = (strides, None if strides is None else array.shape, array.dtype.byteorder == ">")
    # An array without an address has no memory that it could share.
    origin = (address, layout) if address else (id(array), "empty")
    return Collected(dtype, shape, lambda: array, origin, True)


def _raw(value: RawTensor, what: str) -> Collected:
    dtype = DTYPES.get(value.dtype)
    if dtype is None:
        raise ValueError(
            f"{what} has the unknown dtype {quote(str(value.dtype))}: expected one of {', '.join(DTYPES)}"
        )
    shape = checked_shape(value.shape, dtype, what)
    array = np.ascontiguousarray(np.asarray(value.data)) if not isinstance(
        value.data, (bytes, bytearray, memoryview)
    ) else np.frombuffer(value.data, np.uint8)
    needed = tensor_byte_length(dtype, shape)
    if array.nbytes != needed:
        raise ValueError(
            f"{what}: expected {needed} bytes by its dtype and shape, found {array.nbytes}"
        )
    return in_memory(dtype, shape, array)


def checked_shape(shape: Any, dtype: DTypeInfo, what: str) -> Tuple[int, ...]:
    """A validated copy of a shape."""
    copied = tuple(int(length) for length in shape)
    if len(copied) > MAX_RANK:
        raise ValueError(f"{what} has {len(copied)} dimensions: expected at most {MAX_RANK}")
    if any(length < 0 for length in copied) or tensor_byte_length(dtype, copied) is None:
        raise ValueError(f"{what} has no whole and safe number of bytes: {dtype.name} {list(copied)}")
    return copied


def _extras(extras: Any) -> Dict[str, Any]:
    if extras is None:
        return {}
    if not isinstance(extras, Mapping):
        raise TypeError(f"extras must be a mapping of names to states, not {describe(extras)}")
    for name in extras:
        if not isinstance(name, str):
            raise TypeError(f"the name of an extra must be a string, not {describe(name)}")
        fault = "is taken" if name in (MODEL, OPTIMIZER) else name_fault(name)
        if fault is not None:
            raise ValueError(f"the name of an extra, {quote(name)}, {fault}")
    return dict(extras)


def _metrics(metrics: Any) -> Dict[str, float]:
    if metrics is None:
        return {}
    if not isinstance(metrics, Mapping):
        raise TypeError(f"metrics must be a mapping of names to numbers, not {describe(metrics)}")
    copied = {}
    for name, value in metrics.items():
        if not isinstance(name, str):
            raise TypeError(f"the name of a metric must be a string, not {describe(name)}")
        fault = name_fault(name)
        if fault is not None:
            raise ValueError(f"the name of a metric, {quote(name)}, {fault}")
        copied[str(name)] = _number(value, f"the metric {quote(name)}")
    return copied


def _number(value: Any, what: str) -> float:
    if isinstance(value, (bool, np.bool_)) or not isinstance(
        value, (int, float, np.integer, np.floating)
    ):
        raise TypeError(f"{what} must be a number, not {describe(value)}")
    return float(value)


def _milliseconds(time: Any) -> Any:
    """Milliseconds since 1970, from a datetime with a time zone or from the number itself."""
    if not isinstance(time, datetime):
        return time
    if time.tzinfo is None:
        raise ValueError("saved_at must have a time zone: datetime.now(timezone.utc)")
    return (time - _EPOCH) // timedelta(milliseconds=1)


def _natural(value: Any, what: str) -> int:
    number = _integer(value, what)
    if number < 0:
        raise ValueError(f"{what} must not be negative, found {number}")
    return number


def _integer(value: Any, what: str) -> int:
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)):
        raise TypeError(f"{what} must be an integer, not {describe(value)}")
    if abs(int(value)) > MAX_SAFE_INTEGER:
        raise ValueError(f"{what} must be an integer of at most 2^53 - 1, not {value}")
    return int(value)


