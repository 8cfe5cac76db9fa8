"""PyTorch: state dicts in and out, without a copy where memory can be shared, and the optimizer's
state by the names of the parameters.

    save(path, model.state_dict(), optimizer_state(model, optimizer), step=step)

    checkpoint = load(path)
    model.load_state_dict(state_dict(checkpoint.model))
    load_optimizer_state(model, optimizer, checkpoint.optimizer)
"""

from __future__ import annotations

from typing import Any, Dict, List

import numpy as np
import torch

from .collect import Collected, checked_shape, in_memory
from .dtype import DTYPES, tensor_byte_length
from .error import CheckpointError, quote
from .state import LoadedState, State
from .tensor import Tensor

# PyTorch's other names for dtypes of this library; two of them are in one element.
_PACKED = {"float4_e2m1fn_x2": "float4_e2m1fn"}

# The dtype, by size of an element, that memory has on its way to NumPy, which lacks some dtypes.
_BITS = {1: torch.uint8, 2: torch.int16, 4: torch.int32, 8: torch.int64}


def state_dict(state: LoadedState) -> Dict[str, torch.Tensor]:
    """The tensors of a checkpoint's state for ``load_state_dict``, over the mapped file and without
    a copy. They may be written to; the writes stay in this process. They keep the map alive, and
    the file must not be truncated while they live: ``clone()`` what you keep. Dtypes below eight
    bits come as packed bytes."""
    return {name: _tensor(tensor) for name, tensor in state.tensors.items()}


def optimizer_state(model: torch.nn.Module, optimizer: torch.optim.Optimizer) -> State:
    """An optimizer's state for ``save``. Buffers are named ``exp_avg/layer.weight``. Other values
    and the parameter groups are attributes, with parameters by their names. Raises a ValueError if
    the optimizer has a parameter that the model lacks."""
    given = optimizer.state_dict()
    names = _names(model, optimizer)
    tensors: Dict[str, torch.Tensor] = {}
    values: Dict[str, Dict[str, Any]] = {}
    for index, entries in given["state"].items():
        for key, value in entries.items():
            if "/" in key:
                raise ValueError(f"the optimizer's key {quote(key)} contains a slash")
            if isinstance(value, torch.Tensor):
                tensors[f"{key}/{names[index]}"] = value
            else:
                values.setdefault(names[index], {})[key] = value
    groups = []
    for i, group in enumerate(given["param_groups"]):
        saved: Dict[str, Any] = {}
        for key, value in group.items():
            if key == "params":
                saved[key] = [names[index] for index in value]
            elif isinstance(value, torch.Tensor):
                # A learning rate on the device. No buffer has such a name, without a slash.
                tensors[f"param_groups.{i}.{key}"] = value
            else:
                saved[key] = value
        groups.append(saved)
    attributes: Dict[str, Any] = {"param_groups": groups}
    if values:
        attributes["state"] = values
    return State(tensors, kind=type(optimizer).__name__, attributes=attributes)


def load_optimizer_state(
    model: torch.nn.Module, optimizer: torch.optim.Optimizer, state: LoadedState
) -> None:
    """Puts a saved state into an optimizer over the same parameters, in the same groups. All of it
    is verified and compared before the optimizer changes; the buffers are copies. Raises
    CKPT_STATE_MISMATCH if the groups or their parameters differ, and CKPT_TENSOR_CHECKSUM for
    damaged bytes."""
    names = _names(model, optimizer)
    current = optimizer.state_dict()["param_groups"]
    saved = state.attributes.get("param_groups")
    wanted = [[names[index] for index in group["params"]] for group in current]
    if not isinstance(saved, list) or not all(isinstance(group, dict) for group in saved):
        raise _mismatch("the state has no parameter groups: it is not that of a PyTorch optimizer", state)
    found = [group.get("params") for group in saved]
    if found != wanted:
        raise _mismatch(
            "the parameter groups are others: "
            f"expected {_shown(wanted)}, found {_shown(found)}",
            state,
        )
    groups: List[Dict[str, Any]] = []
    for group, now in zip(saved, current):
        # A file has only lists, and some optimizers distinguish them from tuples.
        groups.append(
            {
                key: tuple(value) if isinstance(now.get(key), tuple) else value
                for key, value in group.items()
                if key != "params"
            }
        )
        groups[-1]["params"] = now["params"]
    indices = {name: index for index, name in names.items()}
    entries: Dict[int, Dict[str, Any]] = {}
    values = state.attributes.get("state", {})
    if not isinstance(values, dict):
        raise _mismatch("its attribute `state` is not a map", state)
    for name, keys in values.items():
        if name not in indices or not isinstance(keys, dict):
            raise _mismatch(f"the parameter {quote(name)} is not the optimizer's", state)
        entries.setdefault(indices[name], {}).update(keys)
    for full_name, tensor in state.tensors.items():
        key, slash, name = full_name.partition("/")
        if not slash:
            prefix, _, rest = key.partition(".")
            number, _, option = rest.partition(".")
            if prefix != "param_groups" or not number.isdigit() or int(number) >= len(groups):
                raise _mismatch(f"the tensor {quote(full_name)} belongs to no parameter", state)
            groups[int(number)][option] = _tensor(tensor).clone()
            continue
        if name not in indices:
            raise _mismatch(f"the tensor {quote(full_name)} belongs to no parameter", state)
        entries.setdefault(indices[name], {})[key] = _tensor(tensor).clone()
    optimizer.load_state_dict({"state": entries, "param_groups": groups})


def collect_torch(value: torch.Tensor, what: str) -> Collected:
    """Validates a tensor of a save. A tensor on a device is fetched when its turn comes."""
    name = str(value.dtype).rpartition(".")[2]
    dtype = DTYPES.get(_PACKED.get(name, name))
    if dtype is None or value.layout is not torch.strided:
        raise TypeError(f"{what} is {name} ({value.layout}), which a file cannot hold")
    shape = tuple(value.shape)
    if dtype.packed and name not in _PACKED:
        # A byte per element here and fewer bits in a file: not the same bytes.
        raise TypeError(f"{what} is {name}, which a file holds as packed bytes: give a RawTensor")
    if name in _PACKED:
        if not shape:
            raise TypeError(f"{what} is a scalar of {name}, which a file cannot hold")
        shape = (*shape[:-1], shape[-1] * 2)
    shape = checked_shape(shape, dtype, what)
    value = value.detach()
    if value.device.type == "cpu":
        return in_memory(dtype, shape, _bits(value))
    if value.device.type == "meta":
        raise TypeError(f"{what} has no data: it is on the meta device")
    length = tensor_byte_length(dtype, shape)
    strides = None if value.is_contiguous() else (value.shape, value.stride())
    address = value.data_ptr() if length else id(value)
    return Collected(
        dtype, shape, lambda: _bits(value.cpu()), (str(value.device), address, strides), False
    )


def _bits(value: torch.Tensor) -> np.ndarray:
    """The memory of a tensor on the processor, as an array with the same strides."""
    value = value.resolve_conj().resolve_neg()
    if value.is_complex():
        return value.numpy()
    return value.view(_BITS[value.element_size()]).numpy()


def _tensor(tensor: Tensor) -> torch.Tensor:
    info = tensor.info
    if info.packed:
        return torch.from_numpy(tensor.elements())
    dtype = getattr(torch, info.name, None)
    if dtype is None:
        raise TypeError(f"this PyTorch has no dtype {info.name}, which {quote(tensor.name)} has")
    if dtype.is_complex:
        return torch.from_numpy(tensor.elements())
    array = tensor.elements(np.dtype(f"i{info.bits // 8}" if info.bits > 8 else "u1"))
    return torch.from_numpy(array).view(dtype)


def _names(model: torch.nn.Module, optimizer: torch.optim.Optimizer) -> Dict[int, str]:
    """The name of each parameter by its index in the optimizer's state dict."""
    known = {id(parameter): name for name, parameter in model.named_parameters()}
    names: Dict[int, str] = {}
    for group, packed in zip(optimizer.param_groups, optimizer.state_dict()["param_groups"]):
        for parameter, index in zip(group["params"], packed["params"]):
            name = known.get(id(parameter))
            if name is None:
                raise ValueError("the optimizer has a parameter that the model lacks")
            names[index] = name
    return names


def _mismatch(message: str, state: LoadedState) -> CheckpointError:
    return CheckpointError("CKPT_STATE_MISMATCH", message, state=state.name)


def _shown(groups: List[Any]) -> str:
    return quote("; ".join(str(group) for group in groups))


