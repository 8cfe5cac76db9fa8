"""The state that every contender saves, for those in Python: the same bytes as state.ts makes."""

import json

import numpy


def pattern(index, count):
    """Float32 in [1, 2) from a hash of the tensor's and the element's index."""
    bits = numpy.arange(count, dtype=numpy.uint32)
    bits *= numpy.uint32(2654435761)
    bits += numpy.uint32((index * 40503) & 0xFFFFFFFF)
    bits >>= numpy.uint32(9)
    bits |= numpy.uint32(0x3F800000)
    return bits.view(numpy.float32)


def build(spec):
    """Tensors by name, `model.` or `optimizer.` before it."""
    with open(spec) as file:
        tensors = json.load(file)
    state = {}
    for index, tensor in enumerate(tensors):
        count = 1
        for length in tensor["shape"]:
            count *= length
        name = f"{tensor['state']}.{tensor['name']}"
        state[name] = pattern(index, count).reshape(tensor["shape"])
    return state


def wipe(state):
    for tensor in state.values():
        tensor.fill(0)


def check(state):
    """Throws where a tensor is not what `build` made: a sample of each."""
    for index, (name, tensor) in enumerate(state.items()):
        flat = tensor.reshape(-1)
        if flat.size == 0:
            continue
        last = (flat.size - 1) * 2654435761 + index * 40503 & 0xFFFFFFFF
        expected = numpy.array([last >> 9 | 0x3F800000], numpy.uint32).view(numpy.float32)[0]
        if flat[-1] != expected:
            raise ValueError(f"{name} was not restored")
