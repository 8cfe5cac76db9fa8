"""Text in a file: UTF-8, decoded strictly. A byte order mark is a character like any other."""

from __future__ import annotations

from typing import Optional

from .error import broken
from .generated.tables import MAX_NAME_BYTES


def decode_text(data: bytes, what: str) -> str:
    """Decodes UTF-8. Raises CKPT_FORMAT with rule ``text.utf8``, and ``what`` in the message, if
    invalid."""
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as cause:
        raise broken("text.utf8", f"{what} is not valid UTF-8") from cause


def name_fault(name: str) -> Optional[str]:
    """Why a string cannot be the name of a tensor, a state or a metric, or None if it can."""
    if not name:
        return "is empty"
    if "\0" in name:
        return "contains U+0000"
    if len(name) > MAX_NAME_BYTES // 4:
        if len(name.encode("utf-8", "surrogatepass")) > MAX_NAME_BYTES:
            return f"is longer than {MAX_NAME_BYTES} bytes"
    return text_fault(name)


def text_fault(text: str) -> Optional[str]:
    """Why a string cannot be written as UTF-8, or None if it can."""
    if text.isascii():
        return None
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return "contains half of a surrogate pair, which UTF-8 cannot encode"
    return None
