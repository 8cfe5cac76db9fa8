"""What the safetensors library and NumPy make of files. `write FOLDER`: files of every dtype and layout, and what is
in them as corpus.json. `read FILE`: what is in a file, printed as JSON. Bytes are hexadecimal."""

import ctypes
import json
import sys
from pathlib import Path

import ml_dtypes
import numpy as np
import safetensors

NUMPY = ["bool", "int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64", "float16", "float32",
         "float64", "complex64", "complex128"]
ML = ["bfloat16", "float8_e4m3fn", "float8_e5m2", "float8_e4m3fnuz", "float8_e5m2fnuz", "float8_e8m0fnu", "int4",
      "uint4", "float4_e2m1fn", "float6_e2m3fn", "float6_e3m2fn"]
# What Python's side of the safetensors library can be given.
SAFETENSORS = {name: name for name in [*NUMPY[:-1], *ML[:6]]}


def raw(length, seed):
    return np.random.default_rng(seed).integers(0, 256, length, dtype=np.uint8).tobytes()


def array(dtype, shape, seed):
    dtype = np.dtype(getattr(ml_dtypes, dtype) if dtype in ML else dtype)
    count = int(np.prod(shape))
    data = raw(count * dtype.itemsize, seed)
    if dtype == np.bool_:
        data = bytes(byte & 1 for byte in data)
    if dtype.name in ML[6:]:
        bits = 6 if "6" in dtype.name.split("_")[0] else 4
        data = bytes(byte & ((1 << bits) - 1) for byte in data)
    return np.frombuffer(data, dtype).reshape(shape)


def described(value, dtype=None):
    little = value.astype(value.dtype.newbyteorder("<")) if value.dtype.byteorder == ">" else value
    return {"dtype": dtype or value.dtype.name, "shape": list(value.shape), "bytes": little.tobytes("C").hex()}


def write(folder):
    corpus = {}
    arrays = {f"{dtype}/{i}": array(dtype, shape, i)
              for dtype in [*NUMPY, "bfloat16"] for i, shape in enumerate([(), (5,), (0, 3), (2, 3, 4)])}
    expected = {name: described(value) for name, value in arrays.items()}
    for name in list(arrays):
        value = arrays[name]
        if value.ndim == 3:
            arrays[f"{name}/fortran"] = np.asfortranarray(value)
            expected[f"{name}/fortran"] = described(value)
            if value.dtype.byteorder not in ("|",) and value.dtype.name in NUMPY and value.dtype.itemsize > 1:
                arrays[f"{name}/big"] = np.asfortranarray(value).astype(value.dtype.newbyteorder(">"))
                expected[f"{name}/big"] = described(value)
    np.savez(folder / "stored.npz", **arrays)
    np.savez_compressed(folder / "deflated.npz", **arrays)
    corpus["stored.npz"] = corpus["deflated.npz"] = expected
    for version in [(1, 0), (2, 0), (3, 0)]:
        file = folder / f"version{version[0]}.npy"
        with file.open("wb") as stream:
            np.lib.format.write_array(stream, arrays["float32/3"], version=version)
        corpus[file.name] = {file.stem: expected["float32/3"]}
    tensors = {}
    for name, dtype in SAFETENSORS.items():
        for i, shape in enumerate([(), (5,), (0, 3), (2, 3, 4)]):
            tensors[f"{name}/{i}"] = (dtype, shape, array(name, shape, i).tobytes())
    kept = [ctypes.create_string_buffer(data, max(1, len(data))) for _, _, data in tensors.values()]
    specs = {
        name: safetensors.TensorSpec(dtype=dtype, shape=list(shape), data_ptr=ctypes.addressof(buffer), data_len=len(data))
        for (name, (dtype, shape, data)), buffer in zip(tensors.items(), kept)
    }
    (folder / "all.safetensors").write_bytes(safetensors.serialize(specs, {"format": "pt"}))
    corpus["all.safetensors"] = {
        name: {"dtype": name.split("/")[0], "shape": list(shape), "bytes": data.hex()}
        for name, (_, shape, data) in tensors.items()
    }
    (folder / "corpus.json").write_text(json.dumps(corpus))


def read(file):
    if file.suffix == ".safetensors":
        found = safetensors.deserialize(file.read_bytes())
        return {name: {"dtype": info["dtype"], "shape": info["shape"], "bytes": bytes(info["data"]).hex()}
                for name, info in found}
    loaded = np.load(file)
    if file.suffix == ".npy":
        return {file.stem: described(loaded)}
    return {name: described(loaded[name], "bfloat16" if loaded[name].dtype.str == "|V2" else None) for name in loaded.files}


if sys.argv[1] == "write":
    write(Path(sys.argv[2]))
else:
    print(json.dumps(read(Path(sys.argv[2]))))
