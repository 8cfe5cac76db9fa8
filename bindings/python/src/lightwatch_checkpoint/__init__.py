"""Reads checkpoints of training runs: model, optimizer and progress in one ``.ckpt`` file."""

from .checkpoint import Checkpoint, load, verify
from .error import CheckpointError
from .state import LoadedState
from .tensor import Tensor

__all__ = [
    "Checkpoint",
    "CheckpointError",
    "LoadedState",
    "Tensor",
    "load",
    "verify",
]
