"""The dtypes: the width of an element, and the NumPy array that holds it.

A dtype that NumPy lacks is that of ``ml_dtypes`` if this is installed, otherwise its raw bits as
unsigned integers. Dtypes of fewer than eight bits are always packed bytes, a flat array of uint8.
"""

from __future__ import annotations

from typing import NamedTuple, Optional, Sequence

import numpy as np

from .generated import tables
from .generated.tables import MAX_SAFE_INTEGER

try:
    import ml_dtypes as _ml_dtypes
except ImportError:
    _ml_dtypes = None

class DTypeInfo(NamedTuple):
    """One dtype."""

    name: str
    #: The number in the file.
    code: int
    # Bits of an element.
    bits: int
    #: The unsigned integers that hold its raw bits.
    raw: np.dtype
    # The NumPy dtype that its elements are read as.
    array: np.dtype

    @property
    def packed(self) -> bool:
        """Whether elements do not fill whole bytes."""
        return self.bits % 8 != 0


def _info(name: str, code: int, bits: int, array: Optional[str]) -> DTypeInfo:
    # The raw bits of a complex number are those of a pair.
    raw = np.dtype("V16") if bits == 128 else np.dtype(f"<u{max(bits, 8) // 8}")
    if array is not None:
        dtype = np.dtype(array)
    elif bits >= 8 and _ml_dtypes is not None and hasattr(_ml_dtypes, name):
        dtype = np.dtype(getattr(_ml_dtypes, name))
    else:
        dtype = np.dtype("u1") if bits < 8 else raw
    return DTypeInfo(name, code, bits, raw, dtype)


DTYPES = {row[0]: _info(*row) for row in tables.DTYPES}

_BY_CODE = {info.code: info for info in DTYPES.values()}

# A uint16 array is uint16, although bfloat16 may be read as one if ml_dtypes is missing. An array
# of bytes is uint8, and not the elements that are packed in them.
_BY_ARRAY = {
    info.array: info
    for info in DTYPES.values()
    if not info.packed and (info.array.kind != "u" or info.name.startswith("uint"))
}


def dtype_of_code(code: int) -> Optional[DTypeInfo]:
    """The dtype of a number in a file, or None if the number stands for none."""
    return _BY_CODE.get(code)


def dtype_of_array(array: np.ndarray) -> Optional[DTypeInfo]:
    """The dtype of an array's elements, in either byte order, or None."""
    dtype = array.dtype
    if dtype.byteorder == ">":
        dtype = dtype.newbyteorder("<")
    return _BY_ARRAY.get(dtype)


def tensor_byte_length(dtype: DTypeInfo, shape: Sequence[int]) -> Optional[int]:
    """Bytes that a tensor takes. None if that is not a safe integer, or if the bits of a packed
    dtype do not fill whole bytes. A dimension of zero makes it zero, but only if the product of the
    others is safe as well: a zero must not hide a huge dimension."""
    count = 1
    empty = False
    for length in shape:
        if length == 0:
            empty = True
        else:
            count *= length
            if count > MAX_SAFE_INTEGER:
                return None
    if empty:
        return 0
    bits = dtype.bits
    if bits % 8 == 0:
        length = count * (bits // 8)
        return length if length <= MAX_SAFE_INTEGER else None
    total = count * bits
    return total // 8 if total <= MAX_SAFE_INTEGER and total % 8 == 0 else None
