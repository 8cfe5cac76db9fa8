"""Attributes: the typed tree of what a state has besides its tensors. Unlike JSON it keeps NaN, the
infinities, -0, integers of 64 bits, and the difference between 1 and 1.0."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Dict

import numpy as np

from .error import printable
from .generated.tables import ATTRIBUTE_DEPTH, MAX_DEPTH, MAX_SAFE_INTEGER
from .text import text_fault

_INT64_MIN = -(2**63)
_INT64_MAX = 2**63 - 1
_UINT64_MAX = 2**64 - 1


def copy_attributes(value: Any, path: str) -> Dict[str, Any]:
    """Copies and validates ``value``, in the types that a load returns: tuples become lists. Raises
    a TypeError or ValueError with the path of the first part that a file cannot hold:
    ``optimizer.attributes.groups[0].lr``."""
    if not isinstance(value, Mapping):
        raise TypeError(f"{path} must be a mapping, not {describe(value)}")
    return _copy_map(value, path, ATTRIBUTE_DEPTH)


# The depth, in tables, that a value adds to its parent: its own table, and in a map also that of
# its entry.
_IN_LIST = 1
_IN_MAP = 2


def _copy_map(value: Mapping, path: str, depth: int) -> Dict[str, Any]:
    # `depth` is that of the values, in tables.
    copy = {}
    for key, item in value.items():
        if not isinstance(key, str):
            raise TypeError(f"the key {key!r} in {path} is {describe(key)}, and must be a string")
        at = f"{path}.{key}"
        fault = text_fault(key)
        if fault is not None:
            raise ValueError(f"the key {printable(at)} {fault}")
        copy[str(key)] = _copy(item, at, depth)
    return copy


def _copy(value: Any, path: str, depth: int) -> Any:
    # The same limit as in readers, so that every loaded state can be saved again.
    if depth > MAX_DEPTH:
        raise ValueError(
            f"{path} is nested too deep (or in itself): expected at most {MAX_DEPTH} tables, "
            "where a list counts as one and a map as two"
        )
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, np.bool_):
        return bool(value)
    if isinstance(value, (np.int64, np.uint64)):
        # An integer of 64 bits stays one. It is unsigned in the file if only that can hold it.
        return np.uint64(value) if int(value) > _INT64_MAX else np.int64(value)
    if isinstance(value, (int, np.integer)):
        return _integer(int(value), path)
    if isinstance(value, (float, np.floating)):
        return float(value)
    if isinstance(value, str):
        fault = text_fault(value)
        if fault is not None:
            raise ValueError(f"{path} {fault}")
        return str(value)
    if isinstance(value, (list, tuple, Mapping)):
        if isinstance(value, Mapping):
            return _copy_map(value, path, depth + _IN_MAP)
        return [_copy(item, f"{path}[{i}]", depth + _IN_LIST) for i, item in enumerate(value)]
    hint = "; put arrays of numbers into the tensors" if hasattr(value, "shape") else ""
    raise TypeError(
        f"{path} is {describe(value)}, which attributes cannot hold: None, booleans, numbers, "
        f"strings, and lists and mappings of these{hint}"
    )


def _integer(value: int, path: str) -> Any:
    if -MAX_SAFE_INTEGER <= value <= MAX_SAFE_INTEGER:
        return value
    if _INT64_MIN <= value <= _INT64_MAX:
        return np.int64(value)
    if 0 <= value <= _UINT64_MAX:
        return np.uint64(value)
    raise ValueError(f"{path} fits neither an int64 nor a uint64")


def describe(value: Any) -> str:
    """Describes a value in words, for a message."""
    return "None" if value is None else f"an instance of {type(value).__name__}"
