"""The one family of errors that a file or a disk can cause.

Misuse by the caller (a wrong argument, a value that a file cannot hold) is a TypeError or a
ValueError instead.
"""

from __future__ import annotations

import unicodedata
from typing import Any, Optional

from .generated.tables import ErrorCode, Rule

# Longest text that a message quotes in full, in characters.
_QUOTE_LIMIT = 200

# Control and format characters, surrogates, and separators of lines and paragraphs.
_UNSAFE = frozenset(("Cc", "Cf", "Cs", "Zl", "Zp"))


class CheckpointError(Exception):
    """A file that cannot be read, or a save that failed.

    ``code`` is stable and tells programs what kind of error it is (``CKPT_FORMAT``). ``rule`` is
    the broken rule of the format (``tensor.offset``), or None. ``path``, ``state``, ``tensor``,
    ``offset`` (in bytes), ``expected`` and ``actual`` say more, and are None if they do not apply.
    The system's own error, if there was one, is ``__cause__``.
    """

    def __init__(
        self,
        code: ErrorCode,
        message: str,
        *,
        rule: Optional[Rule] = None,
        path: Optional[str] = None,
        state: Optional[str] = None,
        tensor: Optional[str] = None,
        offset: Optional[int] = None,
        expected: Any = None,
        actual: Any = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.rule = rule
        self.path = path
        self.state = state
        self.tensor = tensor
        self.offset = offset
        self.expected = expected
        self.actual = actual

    def __str__(self) -> str:
        message = self.message if self.path is None else f"{quote(self.path)}: {self.message}"
        return f"{message} [{self.code}{'' if self.rule is None else ' ' + self.rule}]"

    def with_path(self, path: str) -> CheckpointError:
        """Adds the file's path to the error, and returns the error."""
        if self.path is None:
            self.path = path
        return self


def broken(rule: Rule, message: str, **fields: Any) -> CheckpointError:
    """The error for metadata that is a valid FlatBuffer, but says what the format does not allow.
    """
    return CheckpointError("CKPT_FORMAT", message, rule=rule, **fields)


def printable(text: str) -> str:
    """Makes text from a file safe to print: each character that steers a terminal becomes
    ``\\u{...}``."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(
        f"\\u{{{ord(c):x}}}" if unicodedata.category(c) in _UNSAFE else c for c in text
    )


def quote(text: str) -> str:
    """Quotes a name from a file or a caller: printable, and never longer than a line."""
    shown = text[:_QUOTE_LIMIT] + "…" if len(text) > _QUOTE_LIMIT else text
    escaped = printable(shown).replace('"', '\\"')
    return f'"{escaped}"'
