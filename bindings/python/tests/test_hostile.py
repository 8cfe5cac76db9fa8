import os
import random
import socket
import struct
import zlib

import numpy as np
import pytest

import lightwatch_checkpoint as lw
from conftest import CORPUS, GOLDEN
from forge import reseal
from lightwatch_checkpoint import tensor_tables, verifier
from lightwatch_checkpoint.decode import decode
from lightwatch_checkpoint.reporter import report


def small(tmp_path):
    path = tmp_path / "small.ckpt"
    lw.save(
        path,
        lw.State({"w": np.arange(3, dtype=np.float32)}, attributes={"n": [1, {"t": True}]}),
        epoch=1,
        metrics={"m": 0.5},
        config={"lr": 1},
    )
    return path


def test_a_file_cut_short_anywhere_is_refused(tmp_path, write):
    data = small(tmp_path).read_bytes()
    for length in range(len(data)):
        outcome = report(os.fsencode(write(data[:length])))
        code = outcome["error"]["code"]
        assert code == ("CKPT_NOT_A_CHECKPOINT" if length < 8 else "CKPT_FILE_LENGTH")


def test_a_file_with_something_appended_is_refused(golden, write):
    outcome = report(os.fsencode(write(golden + b"\0")))
    assert outcome["error"]["code"] == "CKPT_FILE_LENGTH"


def test_every_flipped_bit_is_found(tmp_path, write):
    data = small(tmp_path).read_bytes()
    for bit in range(8 * len(data)):
        changed = bytearray(data)
        changed[bit // 8] ^= 1 << bit % 8
        assert "error" in report(os.fsencode(write(changed))), bit


def test_resealed_damage_never_lets_another_error_out(golden, write):
    generator = random.Random(7)
    end = lw.load(GOLDEN).metadata_length
    outcomes = set()
    for _ in range(1500):
        changed = bytearray(golden)
        for _ in range(generator.choice((1, 1, 2, 4))):
            at = generator.randrange(end)
            if generator.random() < 0.5:
                changed[at] ^= 1 << generator.randrange(8)
            else:
                at -= at % 4
                struct.pack_into("<I", changed, at, generator.choice((0, 4, 2**31, 2**32 - 1, end)))
        outcome = report(os.fsencode(write(reseal(changed))))
        outcomes.add(outcome.get("error", {}).get("rule"))
    # It got far beyond the checksum, in many ways.
    assert len(outcomes) > 15


def walk(metadata):
    try:
        verifier.verify_flatbuffer(metadata)
        return decode(metadata)
    except lw.CheckpointError as error:
        return error.code, error.rule


def test_the_tables_in_bulk_and_one_by_one_are_judged_alike(tmp_path, monkeypatch):
    path = tmp_path / "tables.ckpt"
    lw.save(path, {f"w{i}": np.zeros((i % 4,) * (i % 5), np.float32) for i in range(40)})
    length = lw.load(path).metadata_length
    data = path.read_bytes()[:length]
    generator = random.Random(11)
    taken = refused = 0
    for _ in range(3000):
        changed = bytearray(data)
        at = generator.randrange(length)
        if generator.random() < 0.6:
            changed[at] ^= 1 << generator.randrange(8)
        else:
            at -= at % 4
            changed[at : at + 4] = struct.pack("<I", generator.choice((0, 2, 4, 2**31, 2**32 - 1)))
        changed = bytes(changed)
        in_bulk = walk(changed)
        with monkeypatch.context() as patch:
            patch.setattr(verifier, "BULK", 10**9)
            patch.setattr("lightwatch_checkpoint.decode.BULK", 10**9)
            one_by_one = walk(changed)
        assert repr(in_bulk) == repr(one_by_one)
        if isinstance(in_bulk[0], str):
            refused += 1
        else:
            taken += 1
    assert taken > 100 and refused > 500


def test_the_budget_is_counted_alike_in_bulk(tmp_path):
    path = tmp_path / "tables.ckpt"
    lw.save(path, {f"w{i}": np.zeros((i % 4,) * (i % 5), np.float32) for i in range(40)})
    data = path.read_bytes()[: lw.load(path).metadata_length]

    def spent(bulk):
        verification = verifier._Verification(data)
        before, verifier.BULK = verifier.BULK, bulk
        try:
            start = verification._budget
            verification.root()
            return start - verification._budget
        finally:
            verifier.BULK = before

    assert spent(tensor_tables.BULK) == spent(10**9) > 0


def test_damaged_bytes_are_not_handed_out(golden, write):
    with lw.load(GOLDEN) as checkpoint:
        offset = checkpoint.model.tensors["dtype/float32"].offset
    changed = bytearray(golden)
    changed[offset] ^= 1
    path = write(changed)
    for mapped in (True, False):
        checkpoint = lw.load(path, map=mapped)
        assert checkpoint.model["dtype/float64"].shape == (2, 4)
        for _ in range(2):
            with pytest.raises(lw.CheckpointError) as caught:
                checkpoint.model["dtype/float32"]
            assert caught.value.code == "CKPT_TENSOR_CHECKSUM"
            assert caught.value.tensor == "dtype/float32"
        unchecked = lw.load(path, map=mapped, verify=False)
        assert unchecked.model["dtype/float32"].tobytes()[0] == changed[offset]
        with pytest.raises(lw.CheckpointError) as caught:
            unchecked.verify()
        assert caught.value.code == "CKPT_TENSOR_CHECKSUM"
    with pytest.raises(lw.CheckpointError):
        lw.verify(path)
    lw.verify(GOLDEN)


def test_damage_between_segments_is_found(golden, write):
    with lw.load(GOLDEN) as checkpoint:
        offset = checkpoint.model.tensors["dtype/float32"].offset
    for before in (1, 5):
        changed = bytearray(golden)
        changed[offset - before] ^= 1
        with pytest.raises(lw.CheckpointError) as caught:
            lw.load(write(changed)).model["dtype/float32"]
        assert (caught.value.code, caught.value.rule) == ("CKPT_FORMAT", "gap")


def test_what_is_no_regular_file_is_refused_at_once(tmp_path):
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    with socket.socket(socket.AF_UNIX) as server:
        here = os.getcwd()
        os.chdir(tmp_path)
        try:
            server.bind("socket")
        finally:
            os.chdir(here)
        for path in (fifo, tmp_path, "/dev/null", tmp_path / "socket", tmp_path / "missing", "a\0b", ""):
            with pytest.raises(lw.CheckpointError) as caught:
                lw.load(path)
            assert caught.value.code == "CKPT_READ"
            assert lw.CheckpointError.__module__ in repr(type(caught.value))


def test_other_formats_are_named(write):
    for start, word in (
        (b"", "empty"),
        (b"PK\3\4" + bytes(20), "zip"),
        (b"\x80\2" + bytes(20), "pickle"),
        (b"\x89HDF\r\n\x1a\n", "HDF5"),
        (b'{"a": 1234567}', "JSON"),
        (struct.pack("<Q", 80) + b"{" + bytes(80), "safetensors"),
    ):
        with pytest.raises(lw.CheckpointError, match=word) as caught:
            lw.load(write(start))
        assert caught.value.code == "CKPT_NOT_A_CHECKPOINT"


def test_a_newer_version_is_refused_with_both_numbers(golden, write):
    at = golden.index(struct.pack("<I", 1), 8)
    root = struct.unpack_from("<I", golden)[0]
    vtable = root - struct.unpack_from("<i", golden, root)[0]
    at = root + struct.unpack_from("<H", golden, vtable + 4)[0]
    changed = bytearray(golden)
    struct.pack_into("<I", changed, at, 2)
    with pytest.raises(lw.CheckpointError, match="version 2.*version 1") as caught:
        lw.load(write(changed))
    assert caught.value.code == "CKPT_VERSION"


def test_damaged_metadata_is_known(golden, write):
    changed = bytearray(golden)
    changed[lw.load(GOLDEN).metadata_length - 1] ^= 1
    with pytest.raises(lw.CheckpointError) as caught:
        lw.load(write(changed))
    assert caught.value.code == "CKPT_METADATA_CHECKSUM"


def test_names_of_a_file_do_not_steer_the_terminal(golden, write):
    with lw.load(GOLDEN) as checkpoint:
        name = next(name for name in checkpoint.model if "rtl" in name)
        offset = checkpoint.model.tensors[name].offset
    changed = bytearray(golden)
    changed[offset] ^= 1
    with pytest.raises(lw.CheckpointError) as caught:
        lw.load(write(changed)).model[name]
    assert "\u202e" not in str(caught.value) and "\n" not in str(caught.value)
    assert "\\u{202e}" in str(caught.value)


def test_a_file_that_shrinks_while_it_is_read_is_known(golden, write):
    path = write(golden)
    checkpoint = lw.load(path, map=False)
    with open(path, "r+b") as file:
        file.truncate(checkpoint.metadata_length)
    with pytest.raises(lw.CheckpointError) as caught:
        checkpoint.model["embedding.weight"]
    assert caught.value.code == "CKPT_FILE_CHANGED"


def test_a_checkpoint_renamed_over_does_not_change_an_open_one(golden, write, tmp_path):
    path = write(golden)
    checkpoint = lw.load(path)
    lw.save(path, {"other": np.zeros(3)})
    checkpoint.verify()
    assert checkpoint.model["dtype/uint8"].tobytes() == golden[
        checkpoint.model.tensors["dtype/uint8"].offset :][:8]


def test_config_that_is_no_json_is_refused_when_it_is_asked_for(golden, write):
    changed = golden.replace(b'{ "lr": 1.0e-3', b'[ "lr": 1.0e-3')
    assert changed != golden
    checkpoint = lw.load(write(reseal(changed)))
    assert checkpoint.config_text.startswith("[")
    with pytest.raises(lw.CheckpointError) as caught:
        checkpoint.config
    assert (caught.value.code, caught.value.rule) == ("CKPT_FORMAT", "config.json")


@pytest.mark.parametrize("mapped", [True, False])
def test_reads_and_refuses_the_corpus(mapped):
    import json

    refusals = json.loads((CORPUS / "invalid.json").read_text("utf-8"))
    valid = sorted(CORPUS.glob("valid/*.ckpt"))
    assert valid and refusals
    for path in valid:
        expected = json.loads(path.with_suffix(".json").read_text("utf-8"))
        assert report(os.fsencode(path), map=mapped) == expected, path.name
    for name, expected in refusals.items():
        error = report(os.fsencode(CORPUS / "invalid" / f"{name}.ckpt"), map=mapped)["error"]
        if expected["code"] == "CKPT_FILE_LENGTH":
            error["rule"] = expected["rule"]
        assert error == {"code": expected["code"], "rule": expected["rule"]}, name


def test_the_reporter_gives_a_line_for_each_path(tmp_path):
    import json
    import subprocess
    import sys

    done = subprocess.run(
        [sys.executable, "-m", "lightwatch_checkpoint.reporter"],
        input=f"{GOLDEN}\n{tmp_path}\n".encode(),
        capture_output=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        check=True,
    )
    first, second = map(json.loads, done.stdout.splitlines())
    assert first["states"][0]["tensors"][1]["crc32"] == f"{zlib.crc32(lw.load(GOLDEN).model.tensors['dtype/float64'].raw()):08x}"
    assert second == {"error": {"code": "CKPT_READ", "rule": None}}
