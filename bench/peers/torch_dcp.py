"""torch.distributed.checkpoint in one process: a folder of files, loaded into the tensors in place.

Its writer syncs the files that it writes by default; it is told not to where a save is not to wait for
the device.
"""

import logging
import warnings

import torch
import torch.distributed.checkpoint as dcp

import protocol
import state as states

warnings.filterwarnings("ignore")
logging.disable(logging.WARNING)

arrays = {}
tensors = {}


def load(spec):
    global arrays, tensors
    arrays = states.build(spec)
    tensors = {name: torch.from_numpy(array) for name, array in arrays.items()}
    return sum(array.nbytes for array in arrays.values())


def save(path, durable):
    def run():
        writer = dcp.FileSystemWriter(path, sync_files=durable)
        dcp.save(tensors, storage_writer=writer)
        if durable:
            protocol.sync_saved(path)

    return protocol.timed(run)[0]


def restore(path):
    states.wipe(arrays)
    seconds, _ = protocol.timed(lambda: dcp.load(tensors, checkpoint_id=path))
    states.check(arrays)
    return seconds


protocol.serve({"load": load, "save": save, "restore": restore})
