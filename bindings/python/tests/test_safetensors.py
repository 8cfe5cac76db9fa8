import ml_dtypes
import numpy as np
import pytest

import lightwatch_checkpoint as lw

safetensors = pytest.importorskip("safetensors.numpy", reason="safetensors is not installed")


def test_file_to_file_both_ways(tmp_path):
    source, middle, back = (tmp_path / name for name in ("a.safetensors", "b.ckpt", "c.safetensors"))
    tensors = {
        "w": np.arange(6, dtype=np.float32).reshape(2, 3),
        "h": np.arange(4, dtype=np.float16),
        "b": np.arange(4).astype(ml_dtypes.bfloat16),
        "i": np.array(3, np.int64),
    }
    safetensors.save_file(tensors, source)
    lw.save(middle, safetensors.load_file(source))
    safetensors.save_file(dict(lw.load(middle).model), back)
    read = safetensors.load_file(back)
    assert set(read) == set(tensors)
    for name, array in tensors.items():
        assert read[name].dtype == array.dtype and read[name].tobytes() == array.tobytes()
