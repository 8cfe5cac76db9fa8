"""Checkpoints of training runs: model, optimizer and progress in one ``.ckpt`` file."""

from .checkpoint import Checkpoint, load, verify
from .error import CheckpointError
from .state import LoadedState, RawTensor, State
from .tensor import Tensor

__all__ = [
    "Checkpoint",
    "CheckpointError",
    "LoadedState",
    "RawTensor",
    "State",
    "Tensor",
    "load",
    "verify",
]
