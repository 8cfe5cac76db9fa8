import math
import struct
import sys
import warnings

import ml_dtypes
import numpy as np
import pytest

import lightwatch_checkpoint as lw
from conftest import CORPUS, GOLDEN


def double(text):
    return float(text.replace("Infinity", "inf"))


def same_double(a, b):
    return struct.pack("<d", a) == struct.pack("<d", b) or (math.isnan(a) and math.isnan(b))


def same_attribute(value, expected):
    if expected is None or isinstance(expected, (bool, str)):
        return type(value) is type(expected) and value == expected
    ((kind, held),) = expected.items()
    if kind == "integer":
        return type(value) is int and value == held
    if kind == "float64":
        return type(value) is float and same_double(value, double(held))
    if kind in ("int64", "uint64"):
        return type(value) is getattr(np, kind) and int(value) == int(held)
    if kind == "list":
        return len(value) == len(held) and all(map(same_attribute, value, held))
    return list(value) == [key for key, _ in held] and all(
        same_attribute(value[key], child) for key, child in held
    )


@pytest.mark.parametrize("mapped", [True, False])
def test_reads_the_golden_file_to_its_known_values(mapped, golden_values):
    with lw.load(GOLDEN, map=mapped) as checkpoint:
        checkpoint.verify()
        assert checkpoint.version == 1
        assert (checkpoint.epoch, checkpoint.step) == (golden_values["epoch"], golden_values["step"])
        assert same_double(checkpoint.loss, double(golden_values["loss"]))
        assert list(checkpoint.metrics) == [name for name, _ in golden_values["metrics"]]
        for name, value in golden_values["metrics"]:
            assert same_double(checkpoint.metrics[name], double(value))
        assert checkpoint.config_text == golden_values["config"]
        assert checkpoint.config["layers"] == [12, 0, math.inf]
        expected = [golden_values["model"], golden_values["optimizer"], *golden_values["extras"]]
        assert [state.name for state in checkpoint.states] == [state["name"] for state in expected]
        for state, wanted in zip(checkpoint.states, expected):
            assert state.kind == wanted["kind"]
            assert same_attribute(state.attributes, wanted["attributes"])
            assert list(state) == [tensor["name"] for tensor in wanted["tensors"]]
            for tensor, want in zip(state.tensors.values(), wanted["tensors"]):
                assert tensor.dtype == want["dtype"]
                assert list(tensor.shape) == want["shape"]
                assert tensor.raw().tobytes().hex() == want["data"]
                array = state[tensor.name]
                assert array.tobytes().hex() == want["data"]
                if not tensor.info.packed:
                    assert array.shape == tensor.shape


def test_arrays_are_read_only_views_of_the_map():
    checkpoint = lw.load(GOLDEN)
    for state in checkpoint.states:
        for name, array in state.items():
            assert not array.flags.writeable
            if array.size:
                again = state[name]
                assert np.shares_memory(array, again)
                assert array.__array_interface__["data"][0] % 64 == 0
    first = checkpoint.model["embedding.weight"]
    with pytest.raises(ValueError):
        first[0, 0] = 1


def test_arrays_outlive_their_checkpoint():
    checkpoint = lw.load(GOLDEN)
    array = checkpoint.model["embedding.weight"]
    expected = array.tobytes()
    checkpoint.close()
    del checkpoint
    assert array.tobytes() == expected


def test_a_closed_checkpoint_says_so():
    checkpoint = lw.load(GOLDEN)
    checkpoint.close()
    checkpoint.close()
    for use in (lambda: checkpoint.model["embedding.weight"], checkpoint.verify):
        with pytest.raises(lw.CheckpointError) as caught:
            use()
        assert caught.value.code == "CKPT_CLOSED"


def test_every_dtype_has_its_array():
    with lw.load(GOLDEN) as checkpoint:
        for name in ("float64", "float32", "float16", "int8", "int16", "int32", "int64", "uint8",
                     "uint16", "uint32", "uint64", "bool", "complex64", "complex128"):
            array = checkpoint.model[f"dtype/{name}"]
            assert array.dtype == np.dtype(name) and array.shape == (2, 4)
        for name in ("bfloat16", "float8_e4m3fn", "float8_e5m2", "float8_e4m3fnuz",
                     "float8_e5m2fnuz", "float8_e8m0fnu"):
            array = checkpoint.model[f"dtype/{name}"]
            assert array.dtype == np.dtype(getattr(ml_dtypes, name)) and array.shape == (2, 4)
        for name, length in (("float6_e2m3fn", 6), ("float6_e3m2fn", 6), ("float4_e2m1fn", 4)):
            array = checkpoint.model[f"dtype/{name}"]
            assert array.dtype == np.uint8 and array.shape == (length,)
    with lw.load(CORPUS / "valid/integers-of-4-bits.ckpt") as checkpoint:
        for name in ("int4", "uint4"):
            array = checkpoint.model[f"dtype/{name}"]
            assert array.dtype == np.uint8 and array.shape == (4,)
            assert checkpoint.model.tensors[f"dtype/{name}"].shape == (2, 4)


def test_without_ml_dtypes_elements_are_raw_bits():
    import subprocess
    import sys

    script = (
        "import sys; sys.modules['ml_dtypes'] = None; sys.path[:0] = sys.argv[2:]\n"
        "import lightwatch_checkpoint as lw\n"
        "model = lw.load(sys.argv[1]).model\n"
        "print(model['dtype/bfloat16'].dtype, model['dtype/float8_e5m2'].dtype)\n"
        "lw.save(sys.argv[1] + '.new', model)\n"
    )
    import shutil
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = shutil.copy(GOLDEN, folder)
        done = subprocess.run(
            [sys.executable, "-c", script, path, *sys.path], capture_output=True, text=True, check=True
        )
        assert done.stdout.split() == ["uint16", "uint8"]
        assert lw.load(path + ".new").model.tensors["dtype/bfloat16"].dtype == "bfloat16"


def test_tied_tensors_are_one_memory():
    with lw.load(GOLDEN) as checkpoint:
        a = checkpoint.model["embedding.weight"]
        b = checkpoint.model["head.weight"]
        c = checkpoint.extras["ema"]["embedding.weight"]
        assert np.shares_memory(a, b) and np.shares_memory(a, c)


def test_a_missing_tensor_has_an_error_of_its_own():
    with lw.load(GOLDEN) as checkpoint:
        assert "nothing" not in checkpoint.model
        with pytest.raises(KeyError):
            checkpoint.model["nothing"]
        with pytest.raises(lw.CheckpointError) as caught:
            checkpoint.model.tensor("nothing")
        assert caught.value.code == "CKPT_NO_SUCH_TENSOR"


def test_a_bool_that_is_neither_0_nor_1_is_true(tmp_path):
    path = tmp_path / "bool.ckpt"
    lw.save(path, {"b": lw.RawTensor("bool", (3,), bytes([0, 1, 7]))})
    tensor = lw.load(path).model.tensors["b"]
    assert tensor.numpy().view(np.uint8).tolist() == [0, 1, 1]
    assert tensor.raw().tolist() == [0, 1, 7]


def test_a_tensor_is_an_array_to_numpy():
    with lw.load(GOLDEN) as checkpoint, warnings.catch_warnings():
        warnings.simplefilter("error")
        tensor = checkpoint.model.tensors["dtype/int32"]
        assert np.asarray(tensor).dtype == np.int32
        assert np.asarray(tensor, np.float64).dtype == np.float64


def test_metadata_lets_no_one_change_it():
    with lw.load(GOLDEN) as checkpoint:
        with pytest.raises(TypeError):
            checkpoint.metrics["x"] = 1
        with pytest.raises(TypeError):
            checkpoint.extras["x"] = 1


def calls_of(function, *arguments):
    """Counts the calls of Python and C functions that a function makes. Returns its result and the count."""
    count = 0

    def on_event(frame, event, argument):
        nonlocal count
        count += event in ("call", "c_call")

    sys.setprofile(on_event)
    try:
        return function(*arguments), count
    finally:
        sys.setprofile(None)


def test_the_work_of_opening_a_file_grows_with_the_number_of_its_tensors(tmp_path):
    calls = []
    for count in (1_000, 10_000):
        path = tmp_path / f"{count}.ckpt"
        lw.save(path, {f"layers.{i}.weight": np.full((1, 2), i, np.float32) for i in range(count)})
        checkpoint, made = calls_of(lw.load, path)
        calls.append(made)
        assert len(checkpoint.model) == count
        assert checkpoint.model[f"layers.{count - 1}.weight"].tolist() == [[count - 1, count - 1]]
    assert calls[1] < 10.5 * calls[0]


def test_a_file_of_a_hundred_thousand_tensors_opens(tmp_path):
    path = tmp_path / "many.ckpt"
    count = 100_000
    lw.save(path, {f"layers.{i}.weight": np.full((1, 2), i, np.float32) for i in range(count)})
    checkpoint = lw.load(path)
    assert len(checkpoint.model) == count
    assert checkpoint.model["layers.99999.weight"].tolist() == [[99999, 99999]]
