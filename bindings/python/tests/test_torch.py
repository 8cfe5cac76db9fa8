import numpy as np
import pytest

import lightwatch_checkpoint as lw

torch = pytest.importorskip("torch", reason="PyTorch is not installed")

from lightwatch_checkpoint.torch import (  # noqa: E402
    load_optimizer_state,
    optimizer_state,
    state_dict,
)


def network(seed=0):
    torch.manual_seed(seed)
    return torch.nn.Sequential(torch.nn.Linear(8, 16), torch.nn.GELU(), torch.nn.Linear(16, 4))


def train(model, optimizer, steps, start=0):
    for step in range(start, start + steps):
        generator = torch.Generator().manual_seed(step)
        x = torch.randn(32, 8, generator=generator)
        loss = (model(x) - x[:, :4].sin()).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


def adamw(model):
    decayed = [p for p in model.parameters() if p.ndim > 1]
    others = [p for p in model.parameters() if p.ndim <= 1]
    return torch.optim.AdamW(
        [{"params": decayed}, {"params": others, "weight_decay": 0.0}], lr=3e-3, amsgrad=True
    )


def sgd(model):
    return torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)


@pytest.mark.parametrize("make", [adamw, sgd])
def test_a_resumed_run_is_bit_for_bit_the_one_that_never_stopped(tmp_path, make):
    path = tmp_path / "run.ckpt"
    through = network()
    through_optimizer = make(through)
    train(through, through_optimizer, 7)
    lw.save(path, through.state_dict(), optimizer_state(through, through_optimizer), step=7)
    train(through, through_optimizer, 9, start=7)

    resumed = network(seed=1)
    resumed_optimizer = make(resumed)
    checkpoint = lw.load(path)
    resumed.load_state_dict(state_dict(checkpoint.model))
    load_optimizer_state(resumed, resumed_optimizer, checkpoint.optimizer)
    train(resumed, resumed_optimizer, 9, start=checkpoint.step)
    for a, b in zip(through.parameters(), resumed.parameters()):
        assert a.detach().numpy().tobytes() == b.detach().numpy().tobytes()
    assert through_optimizer.state_dict()["param_groups"] == resumed_optimizer.state_dict()["param_groups"]
    # Training did not reach the file.
    lw.verify(path)


def test_buffers_are_called_after_their_parameters(tmp_path):
    model = network()
    optimizer = adamw(model)
    train(model, optimizer, 1)
    state = optimizer_state(model, optimizer)
    assert state.kind == "AdamW"
    assert {"exp_avg/0.weight", "exp_avg_sq/2.bias", "step/0.weight"} <= set(state)
    groups = state.attributes["param_groups"]
    assert groups[0]["params"] == ["0.weight", "2.weight"]
    assert groups[1]["weight_decay"] == 0.0


def test_other_parameters_are_refused_before_anything_is_changed(tmp_path):
    path = tmp_path / "run.ckpt"
    model = network()
    optimizer = adamw(model)
    train(model, optimizer, 1)
    lw.save(path, model.state_dict(), optimizer_state(model, optimizer))
    other = torch.nn.Linear(3, 3)
    other_optimizer = adamw(other)
    with pytest.raises(lw.CheckpointError) as caught:
        load_optimizer_state(other, other_optimizer, lw.load(path).optimizer)
    assert caught.value.code == "CKPT_STATE_MISMATCH"
    assert other_optimizer.state_dict()["state"] == {}
    with pytest.raises(ValueError, match="lacks"):
        optimizer_state(other, optimizer)


def test_a_learning_rate_that_is_a_tensor_comes_back_as_one(tmp_path):
    path = tmp_path / "run.ckpt"
    model = network()
    optimizer = torch.optim.Adam(model.parameters(), lr=torch.tensor(0.25))
    lw.save(path, model.state_dict(), optimizer_state(model, optimizer))
    optimizer.param_groups[0]["lr"] = torch.tensor(1.0)
    load_optimizer_state(model, optimizer, lw.load(path).optimizer)
    assert optimizer.param_groups[0]["lr"] == torch.tensor(0.25)
    assert isinstance(optimizer.param_groups[0]["betas"], tuple)


def test_every_dtype_of_pytorch_comes_back(tmp_path):
    path = tmp_path / "dtypes.ckpt"
    bits = torch.tensor([0, 1, 128, 255, 7, 63, 0, 90], dtype=torch.uint8)
    given = {"scalar": torch.tensor(2.5), "empty": torch.zeros(0, 3)}
    for name in (
        "float64 float32 float16 bfloat16 float8_e4m3fn float8_e5m2 float8_e4m3fnuz float8_e5m2fnuz "
        "float8_e8m0fnu int8 int16 int32 int64 uint8 uint16 uint32 uint64 complex64"
    ).split():
        if hasattr(torch, name):
            given[name] = bits.view(getattr(torch, name))
    given["bool"] = torch.tensor([[True], [False]])
    given["complex128"] = torch.tensor([1 + 2j, -3j], dtype=torch.complex128)
    lw.save(path, given)
    for mapped in (True, False):
        read = state_dict(lw.load(path, map=mapped).model)
        assert list(read) == list(given)
        for name, tensor in given.items():
            assert read[name].dtype == tensor.dtype and read[name].shape == tensor.shape
            assert lw.load(path).model.tensors[name].dtype == str(tensor.dtype).split(".")[1]
            same = read[name].contiguous().view(torch.uint8) if tensor.ndim else read[name]
            assert torch.equal(same, tensor.view(torch.uint8) if tensor.ndim else tensor)


@pytest.mark.parametrize("name", ["int4", "uint4"])
def test_a_packed_dtype_that_is_a_byte_an_element_in_memory_is_refused(tmp_path, name):
    dtype = getattr(torch, name, None)
    if dtype is None:
        pytest.skip(f"this PyTorch has no {name}")
    given = torch.zeros(2, dtype=torch.uint8).view(dtype)
    with pytest.raises(TypeError, match="packed bytes: give a RawTensor"):
        lw.save(tmp_path / "x.ckpt", {"w": given})


def test_tensors_are_shared_and_writing_to_them_does_not_reach_the_file(tmp_path):
    path = tmp_path / "shared.ckpt"
    weights = torch.ones(1000)
    lw.save(path, {"a": weights, "b": weights})
    checkpoint = lw.load(path)
    tensors = state_dict(checkpoint.model)
    assert tensors["a"].data_ptr() == tensors["b"].data_ptr()
    assert tensors["a"].data_ptr() == checkpoint.model["a"].__array_interface__["data"][0]
    tensors["a"].add_(1)
    assert tensors["b"][0] == 2
    checkpoint.verify()
    assert lw.load(path).model["a"][0] == 1


def test_tensors_of_any_strides_and_conjugates_are_written(tmp_path):
    path = tmp_path / "strides.ckpt"
    base = torch.arange(24, dtype=torch.bfloat16).reshape(4, 6)
    z = torch.tensor([1 + 2j, 3 - 4j])
    lw.save(path, {"t": base.T, "s": base[::2, 1::3], "c": z.conj(), "p": torch.nn.Parameter(base.float())})
    read = state_dict(lw.load(path).model)
    assert torch.equal(read["t"], base.T) and torch.equal(read["s"], base[::2, 1::3])
    assert torch.equal(read["c"], z.conj().resolve_conj()) and torch.equal(read["p"], base.float())


def test_tensors_that_a_file_cannot_hold_are_refused(tmp_path):
    for tensor in (torch.eye(3).to_sparse(), torch.zeros(3, device="meta")):
        with pytest.raises(TypeError, match='the tensor "w" of model'):
            lw.save(tmp_path / "x.ckpt", {"w": tensor})


def test_numpy_and_torch_write_the_same_file(tmp_path):
    a, b = tmp_path / "a.ckpt", tmp_path / "b.ckpt"
    array = np.arange(12, dtype=np.float32).reshape(3, 4)
    lw.save(a, {"w": array})
    lw.save(b, {"w": torch.from_numpy(array)})
    assert a.read_bytes() == b.read_bytes()
