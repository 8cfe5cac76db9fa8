"""States: named tensors with attributes and a kind. A save takes them, and a load returns them."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Dict, Iterable, Iterator, Optional

import numpy as np

from .error import CheckpointError, quote
from .tensor import Tensor


class State(Mapping[str, Any]):
    """A state dict with attributes and a kind besides its tensors, for a save.

    ``tensors`` maps names to arrays, in the order that the file keeps: NumPy arrays, PyTorch
    tensors, ``RawTensor``, or tensors of another checkpoint. ``kind`` is the class of the object
    (``AdamW``). ``attributes`` are hyper-parameters, parameter groups, counters.
    """

    def __init__(
        self,
        tensors: Mapping[str, Any],
        *,
        kind: Optional[str] = None,
        attributes: Optional[Mapping[str, Any]] = None,
    ) -> None:
        self.tensors = tensors
        self.kind = kind
        self.attributes: Mapping[str, Any] = {} if attributes is None else attributes

    def __getitem__(self, name: str) -> Any:
        return self.tensors[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.tensors)

    def __len__(self) -> int:
        return len(self.tensors)


class RawTensor:
    """A tensor given as raw bits, for a dtype that the array does not imply (bfloat16 without
    ml_dtypes, packed float4). ``data`` holds exactly the bytes that ``dtype`` and ``shape`` imply,
    row-major. It stays the caller's and is not copied."""

    def __init__(self, dtype: str, shape: Iterable[int], data: Any) -> None:
        self.dtype = dtype
        self.shape = tuple(shape)
        self.data = data


class LoadedState(Mapping[str, np.ndarray]):
    """A state of a checkpoint: a mapping of names to NumPy arrays, which are read-only views of the
    file, in the order of the saved state dict.

    ``name``; ``kind`` or None; ``attributes``, a tree of None, bool, int, float, str, list, dict,
    and numpy.int64 and numpy.uint64 where the writer had integers of 64 bits; ``tensors``, the same
    names mapped to ``Tensor``, which has dtype and shape without reading the bytes.
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
        """Raises CKPT_NO_SUCH_TENSOR if there is none."""
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
