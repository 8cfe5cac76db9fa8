"""The config of a run: JSON text, kept as given. A value that JSON cannot hold (NaN, bytes, a date)
is refused with its path."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from .attributes import describe
from .error import broken, printable
from .generated.tables import MAX_CONFIG_DEPTH
from .text import text_fault

_encode_string = json.JSONEncoder(ensure_ascii=False).encode


def config_text(config: Any) -> str:
    """The text that a file keeps of ``config``. A string must be JSON text, and stays as it is; any
    other value becomes JSON. Raises a TypeError or ValueError with the path of what JSON cannot
    hold."""
    if not isinstance(config, str):
        return _text(config, "config", 0)
    fault = text_fault(config)
    if fault is not None:
        raise ValueError(f"config {fault}")
    try:
        _parse(config)
    except (ValueError, RecursionError) as cause:
        raise ValueError("a config that is a string must be JSON text") from cause
    return config


def parse_config(text: str) -> Any:
    """The value of a file's config. Raises CKPT_FORMAT, rule ``config.json``, if it is not JSON, or
    is nested too deep for Python's parser."""
    try:
        return _parse(text)
    except (ValueError, RecursionError) as cause:
        raise broken("config.json", f"the config is not JSON text: {printable(str(cause))}") from None


def _parse(text: str) -> Any:
    return json.loads(text, parse_constant=_refuse, parse_int=_integer)


def _refuse(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _integer(digits: str) -> Any:
    try:
        return int(digits)
    except ValueError:
        # More digits than Python converts; no other reader has such a number exactly.
        return float(digits)


def _text(value: Any, path: str, depth: int) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return int.__repr__(value)
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError(f"{path} is {float(value)}, which JSON cannot hold")
        return float.__repr__(value)
    if isinstance(value, str):
        fault = text_fault(value)
        if fault is not None:
            raise ValueError(f"{path} {fault}")
        return _encode_string(str(value))
    if isinstance(value, (list, tuple, Mapping)):
        if depth > MAX_CONFIG_DEPTH:
            raise ValueError(f"{path} is nested more than {MAX_CONFIG_DEPTH} levels deep (or in itself)")
        if not isinstance(value, Mapping):
            items = (_text(item, f"{path}[{i}]", depth + 1) for i, item in enumerate(value))
            return f"[{','.join(items)}]"
        members = []
        for key, item in value.items():
            if not isinstance(key, str):
                raise TypeError(f"the key {key!r} in {path} is {describe(key)}, and must be a string")
            at = f"{path}.{key}"
            fault = text_fault(key)
            if fault is not None:
                raise ValueError(f"the key {printable(at)} {fault}")
            members.append(f"{_encode_string(key)}:{_text(item, at, depth + 1)}")
        return f"{{{','.join(members)}}}"
    raise TypeError(f"{path} is {describe(value)}, which JSON cannot hold")
