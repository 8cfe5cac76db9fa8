"""The config of a run: JSON text, kept as it was given."""

from __future__ import annotations

import json
from typing import Any

from .error import broken, printable

def parse_config(text: str) -> Any:
    """The value of a file's config. Raises CKPT_FORMAT, rule ``config.json``, where it is not JSON, or
    nested deeper than Python's parser goes."""
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
        # More digits than Python converts; such a number is no exact one in any other reader.
        return float(digits)
