"""Both libraries read what the other has written, and write the same bytes for the same state."""

import math

import numpy as np
import pytest

import lightwatch_checkpoint as lw
from conftest import GOLDEN


def state():
    weights = np.arange(24, dtype=np.float32).reshape(2, 3, 4).transpose(2, 0, 1)
    tied = np.linspace(0, 1, 1000)
    model = lw.State(
        {
            "w": weights,
            "tied.a": tied,
            "tied.b": tied,
            "empty": np.zeros((0, 3)),
            "scalar": np.float16(1.5),
            "bf16": lw.RawTensor("bfloat16", (2,), np.array([0x3F80, 0x7FC1], np.uint16)),
            "bool": np.array([True, False]),
            "重み": np.arange(3, dtype=np.uint64),
        },
        kind="Net",
    )
    optimizer = lw.State(
        {"exp_avg/w": np.ones((4, 2, 3), np.float32)},
        kind="AdamW",
        attributes={
            "lr": 0.1,
            "steps": 7,
            "big": 2**60 + 1,
            "unsigned": 2**64 - 1,
            "best": math.inf,
            "zero": -0.0,
            "groups": [{"betas": (0.9, 0.999), "fused": None, "amsgrad": False}],
            "empty": {},
        },
    )
    return dict(
        model=model,
        optimizer=optimizer,
        epoch=2,
        step=10,
        loss=0.25,
        metrics={"accuracy": 0.5, "nan": math.nan},
        config={"lr": 0.1, "layers": [1, 2]},
        sequence=12,
        saved_at=1_796_000_000_123,
        extras={"ema": {"tied.a": tied}, "rng": lw.State({}, attributes={"seed": 1})},
    )


def test_typescript_reads_the_values_and_saves_the_same_bytes(tmp_path, typescript):
    import json

    path, again = tmp_path / "python.ckpt", tmp_path / "typescript.ckpt"
    lw.save(path, **state())
    read = json.loads(typescript("print-values.ts", path))
    assert read["w"] == np.arange(24).reshape(2, 3, 4).transpose(2, 0, 1).reshape(-1).tolist()
    assert read["shape"] == [4, 2, 3] and read["bf16"] == [0x3F80, 0x7FC1]
    assert (read["epoch"], read["step"], read["loss"]) == (2, 10, 0.25)
    assert (read["lr"], read["big"]) == (0.1, str(2**60 + 1))
    assert read["config"] == {"lr": 0.1, "layers": [1, 2]}
    typescript("save-again.ts", path, again)
    assert again.read_bytes() == path.read_bytes()


def test_what_typescript_writes_python_writes_again(tmp_path, typescript, golden):
    path, again = tmp_path / "typescript.ckpt", tmp_path / "python.ckpt"
    typescript("save-again.ts", GOLDEN, path)
    assert path.read_bytes() == golden
    checkpoint = lw.load(path)
    lw.save(
        again,
        checkpoint.model,
        checkpoint.optimizer,
        epoch=checkpoint.epoch,
        step=checkpoint.step,
        loss=checkpoint.loss,
        metrics=checkpoint.metrics,
        config=checkpoint.config_text,
        extras=checkpoint.extras,
    )
    assert again.read_bytes() == golden


@pytest.mark.parametrize("seed", range(6))
def test_random_states_are_the_same_bytes_in_both(tmp_path, typescript, seed):
    generator = np.random.default_rng(seed)
    dtypes = [np.float32, np.float64, np.int8, np.uint16, np.int64, np.complex64, np.bool_]

    def attribute(depth=0):
        choice = generator.integers(0, 7 if depth < 4 else 5)
        if choice == 5:
            return [attribute(depth + 1) for _ in range(generator.integers(0, 4))]
        if choice == 6:
            return {f"k{i}": attribute(depth + 1) for i in range(generator.integers(0, 4))}
        return [None, True, int(generator.integers(-9, 9)), float(generator.random()), "é" * choice][choice]

    def tensors():
        return {
            f"t{i}.{'x' * int(generator.integers(0, 9))}": generator.integers(
                0, 2, tuple(generator.integers(0, 4, generator.integers(0, 4)))
            ).astype(dtypes[generator.integers(0, len(dtypes))])
            for i in range(generator.integers(0, 30))
        }

    def some():
        return lw.State(
            tensors(),
            kind=[None, "Kind"][generator.integers(0, 2)],
            attributes={f"a{i}": attribute() for i in range(generator.integers(0, 5))},
        )

    path, again = tmp_path / "python.ckpt", tmp_path / "typescript.ckpt"
    lw.save(
        path,
        some(),
        some() if seed % 2 else None,
        epoch=seed,
        loss=[None, 0.5][seed % 2],
        sequence=[None, 0, 2**53 - 1][seed % 3],
        saved_at=[0, None][seed % 2],
        metrics={f"m{i}": i / 3 for i in range(seed)},
        extras={f"e{i}": some() for i in range(seed % 3)},
    )
    typescript("save-again.ts", path, again)
    assert again.read_bytes() == path.read_bytes()
