"""Files beyond what 32 bits hold: LIGHTWATCH_LARGE=1 pytest tests/test_large.py"""

import os

import numpy as np
import pytest

import lightwatch_checkpoint as lw

pytestmark = pytest.mark.skipif(
    os.environ.get("LIGHTWATCH_LARGE") != "1", reason="LIGHTWATCH_LARGE=1 is not set"
)

GIB = 2**30


@pytest.mark.parametrize("length", [2 * GIB - 700, 2 * GIB, 4 * GIB + 5])
def test_a_large_file_is_the_same_from_both_libraries(tmp_path, typescript, length):
    theirs, ours = tmp_path / "typescript.ckpt", tmp_path / "python.ckpt"
    large = np.zeros(length, np.uint8)
    large[-1] = 7
    lw.save(ours, {"large": large, "small": np.array([1, 2, 3], np.float32)})
    del large
    if length < 4 * GIB:
        typescript("save-large.ts", theirs, length)
        with open(theirs, "rb") as a, open(ours, "rb") as b:
            while True:
                piece = a.read(2**24)
                assert piece == b.read(2**24)
                if not piece:
                    break
        theirs.unlink()
    for mapped in (True, False):
        with lw.load(ours, map=mapped) as checkpoint:
            checkpoint.verify()
            assert checkpoint.model["large"][-1] == 7
            assert checkpoint.model["large"].shape == (length,)
            assert checkpoint.model["small"].tolist() == [1, 2, 3]
    ours.unlink()
