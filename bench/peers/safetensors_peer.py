"""safetensors. `numpy` or `torch` as the first argument says whose tensors it saves and loads.

It has no restore into memory that exists: a restore here is `safe_open`, `get_tensor` and a copy into
the array or tensor that is there, which is what its users write. It makes nothing durable: for that the
file and its folder are synced afterwards.
"""

import sys
import time

start = time.perf_counter()
FRAMEWORK = sys.argv[1]
if FRAMEWORK == "torch":
    import torch
    from safetensors.torch import save_file
else:
    from safetensors.numpy import save_file
import numpy
from safetensors import safe_open

IMPORT_SECONDS = time.perf_counter() - start

import protocol
import state as states

arrays = {}
tensors = {}


def load(spec):
    global arrays, tensors
    arrays = states.build(spec)
    if FRAMEWORK == "torch":
        tensors = {name: torch.from_numpy(array) for name, array in arrays.items()}
    else:
        tensors = arrays
    return sum(array.nbytes for array in arrays.values())


def save(path, durable):
    def run():
        save_file(tensors, path)
        if durable:
            protocol.sync_saved(path)

    return protocol.timed(run)[0]


def restore(path):
    states.wipe(arrays)

    def run():
        with safe_open(path, framework="pt" if FRAMEWORK == "torch" else "np") as file:
            for name, tensor in tensors.items():
                if FRAMEWORK == "torch":
                    tensor.copy_(file.get_tensor(name))
                else:
                    numpy.copyto(tensor, file.get_tensor(name))

    seconds, _ = protocol.timed(run)
    states.check(arrays)
    return seconds


def load_all(path):
    """Opens and reads every tensor, keeping them."""

    def run():
        with safe_open(path, framework="pt" if FRAMEWORK == "torch" else "np") as file:
            return [file.get_tensor(name) for name in file.keys()]

    return protocol.timed(run)[0]


def open_one(path, name):
    def run():
        with safe_open(path, framework="pt" if FRAMEWORK == "torch" else "np") as file:
            return float(file.get_tensor(name).reshape(-1)[0])

    return protocol.timed(run)[0]


protocol.serve(
    {
        "load": load,
        "save": save,
        "restore": restore,
        "loadAll": load_all,
        "openOne": open_one,
        "importSeconds": lambda: IMPORT_SECONDS,
    }
)
