"""A saved state: named tensors with attributes and a kind."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Dict, Iterator, Optional

import numpy as np

from .error import CheckpointError, quote
from .tensor import Tensor


class LoadedState(Mapping):
    """A state of a checkpoint: a mapping of names to NumPy arrays, read-only views of the file, in
    the order of the state dict that was saved.

    ``name``; ``kind`` or None; ``attributes``, a tree of None, bool, int, float, str, list, dict, and
    numpy.int64 and numpy.uint64 where the writer had integers of 64 bits; ``tensors``, the same
    names mapped to ``Tensor``, which says dtype and shape without a look at the bytes.
    """

    def __init__(
        self,
        name: str,
        kind: Optional[str],
        attributes: Dict[str, Any],
        tensors: Dict[str, Tensor],
    ) -> None:
        self.name = name
        self.kind = kind
        self.attributes = attributes
        self.tensors = MappingProxyType(tensors)

    def tensor(self, name: str) -> Tensor:
        """Raises CKPT_NO_SUCH_TENSOR where there is none."""
        try:
            return self.tensors[name]
        except KeyError:
            raise CheckpointError(
                "CKPT_NO_SUCH_TENSOR",
                f"the state {quote(self.name)} has no tensor {quote(str(name))}",
                state=self.name,
            ) from None

    def __getitem__(self, name: str) -> np.ndarray:
        """Raises KeyError, as a mapping does; see ``tensor``."""
        return self.tensors[name].numpy()

    def __iter__(self) -> Iterator[str]:
        return iter(self.tensors)

    def __len__(self) -> int:
        return len(self.tensors)

    def __contains__(self, name: object) -> bool:
        return name in self.tensors

    def __repr__(self) -> str:
        return f"<state {quote(self.name)} of {len(self)} tensors>"
