"""The reporter of the conformance tests: paths on standard input, one a line; for each a report, one
line of JSON, on standard output. ``--read`` reads files instead of mapping them."""

from __future__ import annotations

import json
import math
import struct
import sys
import zlib
from typing import Any, Dict, Mapping

import numpy as np

from .checkpoint import Checkpoint, load
from .error import CheckpointError
from .state import LoadedState

# Longest tensor whose bytes are reported.
_MAX_REPORTED_BYTES = 256


def report(path: bytes, *, map: bool = True) -> Dict[str, Any]:
    """What the library says of a file."""
    try:
        with load(path, map=map) as checkpoint:
            checkpoint.verify()
            return _describe(checkpoint)
    except CheckpointError as error:
        return {"error": {"code": error.code, "rule": error.rule}}


def _describe(checkpoint: Checkpoint) -> Dict[str, Any]:
    return {
        "version": checkpoint.version,
        "metadata_length": checkpoint.metadata_length,
        "file_length": checkpoint.nbytes,
        "epoch": checkpoint.epoch,
        "step": checkpoint.step,
        "loss": None if checkpoint.loss is None else _double(checkpoint.loss),
        "metrics": [[k, _double(v)] for k, v in _sorted(checkpoint.metrics)],
        "config": checkpoint.config_text,
        "sequence": checkpoint.sequence,
        "saved_at": checkpoint.saved_at,
        "states": [_state(state) for state in checkpoint.states],
    }


def _state(state: LoadedState) -> Dict[str, Any]:
    tensors = []
    for name, tensor in state.tensors.items():
        array = tensor.numpy()
        view = tensor.raw()
        if tensor.dtype != "bool" and array.size and not np.shares_memory(array, view):
            # Reads the bytes instead of mapping them, because only the elements count.
            view = array.reshape(-1).view(np.uint8)
        tensors.append(
            {
                "name": name,
                "dtype": tensor.dtype,
                "shape": [str(length) for length in tensor.shape],
                "offset": str(tensor.offset),
                "byte_length": str(view.nbytes),
                "crc32": f"{zlib.crc32(view):08x}",
                "bytes": view.tobytes().hex() if view.nbytes <= _MAX_REPORTED_BYTES else None,
            }
        )
    return {
        "name": state.name,
        "kind": state.kind,
        "attributes": _entries(state.attributes),
        "tensors": tensors,
    }


def _entries(entries: Mapping[str, Any]) -> list:
    return [[key, _attribute(value)] for key, value in _sorted(entries)]


def _attribute(value: Any) -> Any:
    if isinstance(value, np.integer):
        return {"bigint": str(int(value))}
    if value is None or isinstance(value, (bool, str)):
        return value
    if isinstance(value, (int, float)):
        return {"number": _double(float(value))}
    if isinstance(value, list):
        return [_attribute(item) for item in value]
    return {"map": _entries(value)}


def _sorted(entries: Mapping[str, Any]) -> list:
    return sorted(entries.items(), key=lambda pair: pair[0].encode())


def _double(value: float) -> str:
    return "nan" if math.isnan(value) else struct.pack(">d", value).hex()


def main() -> None:
    """Runs until the end of standard input."""
    map_files = "--read" not in sys.argv[1:]
    for line in sys.stdin.buffer:
        print(json.dumps(report(line.rstrip(b"\r\n"), map=map_files)), flush=True)


if __name__ == "__main__":
    main()
