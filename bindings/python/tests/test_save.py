import math
from datetime import datetime, timedelta, timezone

import ml_dtypes
import numpy as np
import pytest

import lightwatch_checkpoint as lw
from conftest import GOLDEN


def save_again(checkpoint, path, config=None):
    return lw.save(
        path,
        checkpoint.model,
        checkpoint.optimizer,
        epoch=checkpoint.epoch,
        step=checkpoint.step,
        loss=checkpoint.loss,
        metrics=checkpoint.metrics,
        config=checkpoint.config_text,
        extras=checkpoint.extras,
    )


@pytest.mark.parametrize("mapped", [True, False])
def test_the_golden_file_is_saved_again_to_the_same_bytes(tmp_path, golden, mapped):
    path = tmp_path / "again.ckpt"
    report = save_again(lw.load(GOLDEN, map=mapped), path)
    assert path.read_bytes() == golden
    assert report.nbytes == len(golden) and report.durability == "durable"


def test_the_order_and_the_time_of_a_save_are_what_was_given(tmp_path):
    path = tmp_path / "order.ckpt"

    def saved(**options):
        lw.save(path, {}, **options)
        checkpoint = lw.load(path)
        return checkpoint.sequence, checkpoint.saved_at

    assert saved() == (None, None)
    without = path.read_bytes()
    assert saved(sequence=0, saved_at=0) == (0, 0)
    assert saved(sequence=2**53 - 1, saved_at=2**53 - 1) == (2**53 - 1, 2**53 - 1)
    moment = datetime(2026, 11, 28, 8, 30, 0, 250_999, tzinfo=timezone(timedelta(hours=1)))
    assert saved(saved_at=moment) == (None, 1_795_851_000_250)
    assert saved() == (None, None) and path.read_bytes() == without


@pytest.mark.parametrize(
    "options, error",
    [
        ({"sequence": -1}, ValueError),
        ({"sequence": 1.5}, TypeError),
        ({"sequence": 2**53}, ValueError),
        ({"saved_at": -1}, ValueError),
        ({"saved_at": "now"}, TypeError),
        ({"saved_at": datetime(2026, 11, 28)}, ValueError),
    ],
)
def test_what_is_no_order_or_time_is_refused(tmp_path, options, error):
    with pytest.raises(error, match="^(sequence|saved_at) must"):
        lw.save(tmp_path / "order.ckpt", {}, **options)


def attributes_after(tmp_path, attributes):
    path = tmp_path / "attributes.ckpt"
    lw.save(path, lw.State({}, attributes=attributes))
    return lw.load(path).model.attributes


def test_attributes_keep_their_kinds(tmp_path):
    given = {
        "int": 1,
        "float": 1.0,
        "int64": np.int64(1),
        "uint64": np.uint64(2**63),
        "zero": -0.0,
        "nan": math.nan,
        "list": [None, True, "text", {"a": []}],
    }
    read = attributes_after(tmp_path, given)
    assert list(read) == list(given)
    assert [type(value) for value in read.values()] == [type(value) for value in given.values()]
    assert math.copysign(1, read["zero"]) == -1 and math.isnan(read["nan"])
    assert read["list"] == given["list"]


def test_numbers_take_the_kind_that_holds_them(tmp_path):
    read = attributes_after(
        tmp_path,
        {
            "big": 2**53,
            "bigger": 2**64 - 1,
            "small uint64": np.uint64(5),
            "int32": np.int32(7),
            "float32": np.float32(0.5),
            "bool": np.bool_(True),
            "tuple": (0.9, 0.999),
        },
    )
    assert [type(value) for value in read.values()] == [
        np.int64, np.uint64, np.int64, int, float, bool, list,
    ]
    assert read["tuple"] == [0.9, 0.999] and read["bigger"] == 2**64 - 1


def nested(depth):
    value = []
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("attributes", "path"),
    [
        ({"groups": [{"lr": object()}]}, r"model\.attributes\.groups\[0\]\.lr"),
        ({"a": {1: 2}}, r"model\.attributes\.a"),
        ({"a": 2**64}, r"model\.attributes\.a"),
        ({"a": "\ud800"}, r"model\.attributes\.a"),
        ({"a": np.zeros(3)}, r"model\.attributes\.a.*put arrays"),
        ({"a": b"bytes"}, r"model\.attributes\.a"),
        ({"a": nested(61)}, r"nested too deep .* at most 64 tables"),
    ],
)
def test_attributes_that_a_file_cannot_hold_are_refused_with_their_path(tmp_path, attributes, path):
    with pytest.raises((TypeError, ValueError), match=path):
        lw.save(tmp_path / "x.ckpt", lw.State({}, attributes=attributes))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("config", "path"),
    [
        ({"a": [math.nan]}, r"config\.a\[0\]"),
        ({"a": {1: 2}}, r"config\.a"),
        ({"a": b""}, r"config\.a"),
        ("{", "must be JSON text"),
        ("NaN", "must be JSON text"),
        ({"a": "\udc00"}, r"config\.a"),
    ],
)
def test_config_that_json_cannot_hold_is_refused_with_its_path(tmp_path, config, path):
    with pytest.raises((TypeError, ValueError), match=path):
        lw.save(tmp_path / "x.ckpt", {}, config=config)


def test_config_is_kept(tmp_path):
    path = tmp_path / "config.ckpt"
    given = {"lr": 1e-3, "layers": [1, 2.0, None, True], "name": "größe\n"}
    lw.save(path, {}, config=given)
    assert lw.load(path).config == given
    assert lw.load(path).config_text == '{"lr":0.001,"layers":[1,2.0,null,true],"name":"größe\\n"}'
    lw.save(path, {}, config=' { "as" : "given" } ')
    assert lw.load(path).config_text == ' { "as" : "given" } '
    lw.save(path, {})
    assert lw.load(path).config is None


def test_progress_is_kept(tmp_path):
    path = tmp_path / "progress.ckpt"
    lw.save(path, {}, epoch=-3, step=2**53 - 1, loss=-0.0, metrics={"b": math.inf, "a": np.float32(1)})
    checkpoint = lw.load(path)
    assert (checkpoint.epoch, checkpoint.step) == (-3, 2**53 - 1)
    assert math.copysign(1, checkpoint.loss) == -1
    assert list(checkpoint.metrics.items()) == [("b", math.inf), ("a", 1.0)]
    lw.save(path, {})
    assert lw.load(path).loss is None and lw.load(path).optimizer is None


@pytest.mark.parametrize(
    "options",
    [
        {"epoch": 1.5},
        {"step": 2**53},
        {"step": True},
        {"loss": "low"},
        {"metrics": {"": 1}},
        {"metrics": {"a": "b"}},
        {"extras": {"model": {}}},
        {"extras": {"a\0": {}}},
        {"extras": {"ema": None}},
    ],
)
def test_progress_that_a_file_cannot_hold_is_refused(tmp_path, options):
    with pytest.raises((TypeError, ValueError)):
        lw.save(tmp_path / "x.ckpt", {}, **options)


@pytest.mark.parametrize(
    "model",
    [
        None,
        [("w", np.zeros(1))],
        {"": np.zeros(1)},
        {"a\0b": np.zeros(1)},
        {"x" * 65_536: np.zeros(1)},
        {1: np.zeros(1)},
        {"w": [1, 2]},
        {"w": np.array(["text"])},
        {"w": np.array([object()])},
        {"w": lw.RawTensor("float4_e2m1fn", (3,), bytes(2))},
        {"w": lw.RawTensor("int4", (3,), bytes(2))},
        # A byte an element in memory, and packed in a file.
        {"w": np.zeros(2, ml_dtypes.int4)},
        {"w": np.zeros(2, ml_dtypes.uint4)},
        {"w": lw.RawTensor("float32", (2,), bytes(4))},
        {"w": lw.RawTensor("float33", (2,), bytes(8))},
    ],
)
def test_a_state_that_a_file_cannot_hold_is_refused(tmp_path, model):
    with pytest.raises((TypeError, ValueError)):
        lw.save(tmp_path / "x.ckpt", model)
    assert list(tmp_path.iterdir()) == []


def test_arrays_of_any_strides_and_byte_order_are_written_row_major(tmp_path):
    path = tmp_path / "strides.ckpt"
    base = np.arange(2 * 300 * 2000, dtype=np.float32).reshape(2, 300, 2000)
    given = {
        "transposed": base.T,
        "every third": base[:, ::3, ::-2],
        "big-endian": np.arange(700_000, dtype=">i4").reshape(700, 1000),
        "big-endian transposed": np.arange(12, dtype=">f8").reshape(3, 4).T,
        "fortran": np.asfortranarray(base[0]).astype(ml_dtypes.bfloat16, order="F"),
        "complex": (np.arange(6) * 1j).reshape(2, 3).T,
        "complex64": (np.arange(6, dtype=np.complex64) * 1j).reshape(2, 3).T,
        "bool": np.eye(5, dtype=bool)[:, ::2],
        "broadcast": np.broadcast_to(np.float16(3), (3, 5)),
        "scalar": np.float64(2.5),
        "zero-dimensional": np.array(7, dtype=np.int16),
        "empty": np.zeros((0, 3), np.float32)[:, ::2],
    }
    lw.save(path, given)
    checkpoint = lw.load(path)
    checkpoint.verify()
    for name, array in given.items():
        read = checkpoint.model[name]
        assert read.shape == np.shape(array)
        assert read.dtype == np.asarray(array).dtype.newbyteorder("<")
        np.testing.assert_array_equal(read, array)


def test_a_signalling_nan_in_an_array_with_strides_keeps_its_bits(tmp_path):
    path = tmp_path / "nan.ckpt"
    bits = np.array([[0x7FA00001, 1], [0xFFC12345, 2]], np.uint32)
    lw.save(path, {"w": bits.view(np.float32).T})
    assert lw.load(path).model["w"].view(np.uint32).tolist() == bits.T.tolist()


def test_tied_weights_are_written_once(tmp_path):
    path = tmp_path / "tied.ckpt"
    weights = np.random.default_rng(0).random((100, 100))
    lw.save(
        path,
        {
            "a": weights,
            "b": weights,
            "c": weights[:],
            "copy": weights.copy(),
            "half": weights[:50],
            "t": weights.T,
            "t2": weights.T,
            "bits": weights.view(np.uint64),
        },
    )
    tensors = lw.load(path).model.tensors
    offsets = {name: tensor.offset for name, tensor in tensors.items()}
    assert offsets["a"] == offsets["b"] == offsets["c"] == offsets["bits"]
    assert offsets["t"] == offsets["t2"]
    assert len(set(offsets.values())) == 4
    np.testing.assert_array_equal(lw.load(path).model["half"], weights[:50])


def test_temporary_arrays_are_not_taken_for_tied_ones(tmp_path):
    path = tmp_path / "temporary.ckpt"

    class Model(dict):
        def items(self):
            for i in range(50):
                yield f"w{i}", np.full(1000, i, np.float64)

    lw.save(path, Model())
    for i, array in enumerate(lw.load(path).model.values()):
        assert (array == i).all()


def test_raw_bits_are_of_the_dtype_that_is_given(tmp_path):
    path = tmp_path / "raw.ckpt"
    bits = np.arange(6, dtype=np.uint16).reshape(2, 3)
    lw.save(
        path,
        {
            "bf16": lw.RawTensor("bfloat16", (2, 3), bits),
            "fp4": lw.RawTensor("float4_e2m1fn", (2, 2), b"\x12\x34"),
            "i4": lw.RawTensor("int4", (4,), b"\xf0\x87"),
            "u4": lw.RawTensor("uint4", (2, 1), b"\xf0"),
            "fp6": lw.RawTensor("float6_e2m3fn", (4,), bytearray(b"\1\2\3")),
        },
    )
    model = lw.load(path).model
    assert model["bf16"].dtype == ml_dtypes.bfloat16 and model["bf16"].tobytes() == bits.tobytes()
    assert model.tensors["fp4"].shape == (2, 2) and model["fp4"].tobytes() == b"\x12\x34"
    assert model.tensors["i4"].dtype == "int4" and model["i4"].tobytes() == b"\xf0\x87"
    assert model.tensors["u4"].dtype == "uint4" and model.tensors["u4"].shape == (2, 1)
    assert model["fp6"].tolist() == [1, 2, 3]


def test_a_save_takes_no_copy_of_its_tensors(tmp_path):
    import tracemalloc

    large = np.ones(64 * 1024 * 1024 // 4, np.float32)
    strided = np.ones((4096, 8192), np.float32).T
    tracemalloc.start()
    try:
        lw.save(tmp_path / "large.ckpt", {"large": large, "strided": strided})
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 16 * 1024 * 1024


def test_the_length_of_a_table_is_in_its_own_vtable(tmp_path):
    # Two tables with their fields at the same positions, of which one is longer at its end.
    path = tmp_path / "vtables.ckpt"
    attributes = {"a": True, "b": 1, "c": None, "d": 0.5, "e": "text", "f": [[], {}]}
    lw.save(path, lw.State({"w": np.zeros(1)}, attributes=attributes, kind="k"), loss=1.0)
    assert lw.load(path).model.attributes == attributes
