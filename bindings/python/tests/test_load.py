"""What a user gets of a checkpoint, and what becomes of files that are none."""

import json
import os
import random
import struct
import subprocess
import sys

import numpy as np
import pytest
from conftest import CORPUS, REPOSITORY, reseal

import lightwatch_checkpoint as lightwatch
from lightwatch_checkpoint import CheckpointError


def test_the_golden_file_has_its_values(golden):
    expected = json.loads((REPOSITORY / "test" / "golden" / "v1.json").read_text())
    with lightwatch.load(golden) as checkpoint:
        assert checkpoint.version == 1
        assert checkpoint.epoch == int(expected["epoch"])
        assert checkpoint.step == int(expected["step"])
        assert checkpoint.config == json.loads(expected["config"])
        assert list(checkpoint.model) == [t["name"] for t in expected["model"]["tensors"]]
        assert checkpoint.optimizer.kind == expected["optimizer"]["kind"]
        for tensor in expected["model"]["tensors"]:
            data = bytes.fromhex(tensor["data"])
            assert checkpoint.model.tensor(tensor["name"]).raw().tobytes() == data


def test_arrays_are_read_only_views_that_outlive_their_checkpoint(golden):
    with lightwatch.load(golden) as checkpoint:
        tensor = next(t for t in checkpoint.model.tensors.values() if t.dtype == "float32")
        array = tensor.numpy()
        assert np.shares_memory(array, tensor.raw())
    before = array.tobytes()
    with pytest.raises(ValueError):
        array.reshape(-1)[0] = 1
    del checkpoint
    assert array.tobytes() == before
    with pytest.raises(CheckpointError) as caught:
        tensor.numpy()
    assert caught.value.code == "CKPT_CLOSED"


def test_elements_can_be_written_to_and_the_file_stays(golden):
    before = golden.read_bytes()
    with lightwatch.load(golden) as checkpoint:
        tensor = next(t for t in checkpoint.model.tensors.values() if t.dtype == "float32")
        elements = tensor.elements()
        elements[...] = 7
        assert (elements == 7).all()
    assert golden.read_bytes() == before


def test_every_truncation_is_refused(golden, tmp_path):
    data = golden.read_bytes()
    path = tmp_path / "cut.ckpt"
    for length in range(0, len(data), 1 if len(data) < 6000 else 7):
        path.write_bytes(data[:length])
        with pytest.raises(CheckpointError):
            lightwatch.load(path)


def test_every_flipped_bit_is_refused(tmp_path):
    source = min((CORPUS / "valid").glob("*.ckpt"), key=lambda path: path.stat().st_size)
    data = source.read_bytes()
    path = tmp_path / "flipped.ckpt"
    for bit in range(8 * len(data)):
        flipped = bytearray(data)
        flipped[bit // 8] ^= 1 << (bit % 8)
        path.write_bytes(flipped)
        with pytest.raises(CheckpointError):
            lightwatch.verify(path)


def test_whatever_stands_in_the_metadata_is_read_or_refused_by_an_error_of_ours(golden, tmp_path):
    draw = random.Random(26)
    data = golden.read_bytes()
    length = lightwatch.load(golden).metadata_length
    path = tmp_path / "mutated.ckpt"
    refused = 0
    for _ in range(3000):
        mutated = bytearray(data)
        for _ in range(draw.randint(1, 3)):
            at = draw.randrange(8, length - 4)
            size = draw.choice([1, 2, 4])
            value = draw.choice([0, 1, 0x7F, 0xFF, 2**31, 2**32 - 1, draw.getrandbits(32)])
            mutated[at : at + size] = struct.pack("<I", value)[:size]
        try:
            path.write_bytes(reseal(mutated))
        except struct.error:
            continue
        try:
            lightwatch.verify(path)
        except CheckpointError:
            refused += 1
    assert refused > 500


def test_a_damaged_tensor_is_told_when_it_is_asked_for(golden, tmp_path):
    path = tmp_path / "damaged.ckpt"
    data = bytearray(golden.read_bytes())
    with lightwatch.load(golden) as checkpoint:
        tensor = next(t for t in checkpoint.model.tensors.values() if t.nbytes > 0)
        data[tensor.offset] ^= 1
    path.write_bytes(data)
    for map in (True, False):
        with lightwatch.load(path, map=map) as checkpoint:
            with pytest.raises(CheckpointError) as caught:
                checkpoint.model[tensor.name]
            assert caught.value.code == "CKPT_TENSOR_CHECKSUM"
        with lightwatch.load(path, map=map, verify=False) as checkpoint:
            assert checkpoint.model[tensor.name].nbytes == tensor.nbytes


@pytest.mark.parametrize("what", ["folder", "fifo", "nothing", "device"])
def test_what_is_no_file_is_refused_at_once(what, tmp_path):
    path = tmp_path / "x.ckpt"
    if what == "folder":
        path.mkdir()
    elif what == "fifo":
        os.mkfifo(path)
    elif what == "device":
        path = "/dev/zero"
    with pytest.raises(CheckpointError) as caught:
        lightwatch.load(path)
    assert caught.value.code == "CKPT_READ"


def test_the_example_of_the_readme_runs(golden, tmp_path):
    readme = (REPOSITORY / "bindings" / "python" / "README.md").read_text()
    example = readme.split("```python\n")[1].split("```")[0]
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "step-1000.ckpt").write_bytes(golden.read_bytes())
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY / "bindings" / "python" / "src")}
    subprocess.run([sys.executable, "-c", example], cwd=tmp_path, env=environment, check=True)
