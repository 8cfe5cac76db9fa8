"""torch.save of one dict, and torch.load with `mmap=True` and a copy into the tensors that are there."""

import torch

import protocol
import state as states

arrays = {}
tensors = {}


def load(spec):
    global arrays, tensors
    arrays = states.build(spec)
    tensors = {name: torch.from_numpy(array) for name, array in arrays.items()}
    return sum(array.nbytes for array in arrays.values())


def save(path, durable):
    def run():
        torch.save(tensors, path)
        if durable:
            protocol.sync_saved(path)

    return protocol.timed(run)[0]


def restore(path):
    states.wipe(arrays)

    def run():
        loaded = torch.load(path, mmap=True, weights_only=True)
        for name, tensor in tensors.items():
            tensor.copy_(loaded[name])

    seconds, _ = protocol.timed(run)
    states.check(arrays)
    return seconds


def open_one(path, name):
    def run():
        return float(torch.load(path, mmap=True, weights_only=True)[name].reshape(-1)[0])

    return protocol.timed(run)[0]


protocol.serve({"load": load, "save": save, "restore": restore, "openOne": open_one})
