"""Checkpoints of training runs: model, optimizer and progress in one ``.ckpt`` file."""

from .checkpoint import Checkpoint, load, verify
from .error import CheckpointError
from .save import SaveReport, save
from .state import LoadedState, RawTensor, State
from .tensor import Tensor

__all__ = [
    "Checkpoint",
    "CheckpointError",
    "LoadedState",
    "RawTensor",
    "SaveReport",
    "State",
    "Tensor",
    "load",
    "save",
    "verify",
]
