import errno
import os
import stat
import subprocess

import numpy as np
import pytest

import lightwatch_checkpoint as lw
from lightwatch_checkpoint import commit, temporary_file

MODEL = {"w": np.arange(200_000, dtype=np.float32)}


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "run.ckpt"
    lw.save(path, {"old": np.zeros(3)})
    return path


def only(path):
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


def fail(monkeypatch, name, when=lambda *arguments: True, number=errno.EIO, after=False):
    """Makes a call of the system fail, from then on or when its arguments say so; counts."""
    real = getattr(os, name)
    calls = []

    def call(*arguments, **options):
        if when(*arguments):
            calls.append(arguments)
            if after:
                real(*arguments, **options)
            raise OSError(number, os.strerror(number))
        return real(*arguments, **options)

    monkeypatch.setattr(commit.os, name, call)
    return calls


def is_folder(fd):
    return stat.S_ISDIR(os.stat(fd).st_mode)


@pytest.mark.parametrize(
    ("call", "when"),
    [
        ("pwrite", lambda *a: True),
        ("fsync", lambda fd: not is_folder(fd)),
        ("rename", lambda *a: True),
        ("fchmod", lambda *a: True),
    ],
)
def test_a_failure_before_the_commit_leaves_the_old_file(path, monkeypatch, call, when):
    before = path.read_bytes()
    calls = fail(monkeypatch, call, when, errno.ENOSPC)
    with pytest.raises(lw.CheckpointError) as caught:
        lw.save(path, MODEL)
    assert caught.value.code == "CKPT_NOT_COMMITTED" and caught.value.path == str(path)
    assert isinstance(caught.value.__cause__, OSError)
    assert len(calls) == 1
    monkeypatch.undo()
    assert path.read_bytes() == before
    only(path)


def test_a_folder_that_cannot_be_opened_is_known_before_the_commit(path, monkeypatch):
    before = path.read_bytes()
    fail(monkeypatch, "open", lambda name, flags, *_: name == str(path.parent), errno.EMFILE)
    with pytest.raises(lw.CheckpointError) as caught:
        lw.save(path, MODEL)
    assert caught.value.code == "CKPT_NOT_COMMITTED"
    monkeypatch.undo()
    assert path.read_bytes() == before


def test_a_folder_that_cannot_be_synced_leaves_the_new_file_and_says_so(path, monkeypatch):
    calls = fail(
        monkeypatch, "fsync", lambda fd: is_folder(fd) and os.readlink(f"/proc/self/fd/{fd}") == str(path.parent)
    )
    with pytest.raises(lw.CheckpointError) as caught:
        lw.save(path, MODEL)
    assert caught.value.code == "CKPT_NOT_DURABLE"
    assert len(calls) == 1
    monkeypatch.undo()
    assert list(lw.load(path).model) == ["w"]
    only(path)


def test_a_file_system_without_sync_of_folders_is_told(path, monkeypatch):
    fail(monkeypatch, "fsync", is_folder, errno.EINVAL)
    assert lw.save(path, MODEL).durability == "file-only"


def test_a_rename_that_failed_and_took_place_is_not_called_a_failure(path, monkeypatch):
    fail(monkeypatch, "rename", after=True)
    with pytest.raises(lw.CheckpointError) as caught:
        lw.save(path, MODEL)
    assert caught.value.code == "CKPT_NOT_DURABLE"
    assert list(lw.load(path).model) == ["w"]


def test_short_writes_are_gone_on_with(path, monkeypatch):
    real = os.pwrite
    monkeypatch.setattr(commit.os, "pwrite", lambda fd, data, at: real(fd, data[:1000], at))
    lw.save(path, MODEL)
    lw.verify(path)


def test_a_write_of_nothing_is_an_error(path, monkeypatch):
    monkeypatch.setattr(commit.os, "pwrite", lambda *_: 0)
    with pytest.raises(lw.CheckpointError) as caught:
        lw.save(path, MODEL)
    assert caught.value.code == "CKPT_NOT_COMMITTED"
    monkeypatch.undo()
    only(path)


def test_bytes_that_did_not_arrive_are_missed(path, monkeypatch):
    monkeypatch.setattr(commit.os, "pwrite", lambda fd, data, at: len(data))
    with pytest.raises(lw.CheckpointError, match="0 bytes arrived") as caught:
        lw.save(path, MODEL)
    assert caught.value.code == "CKPT_NOT_COMMITTED"


def test_the_steps_are_taken_in_their_order(path, monkeypatch):
    steps = []
    for name in ("pwrite", "fsync", "rename"):
        real = getattr(os, name)

        def call(*arguments, real=real, name=name):
            folder = name == "fsync" and is_folder(arguments[0])
            steps.append("fsync folder" if folder else name)
            return real(*arguments)

        monkeypatch.setattr(commit.os, name, call)
    lw.save(path, MODEL)
    assert steps[0] == "fsync folder"
    assert steps[-3:] == ["fsync", "rename", "fsync folder"]
    assert set(steps[1:-3]) == {"pwrite"}


def test_an_interruption_leaves_nothing_behind(path, monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(commit.os, "pwrite", interrupt)
    with pytest.raises(KeyboardInterrupt):
        lw.save(path, MODEL)
    monkeypatch.undo()
    only(path)
    assert list(lw.load(path).model) == ["old"]


def test_no_descriptor_is_left_open(path, monkeypatch):
    before = len(os.listdir("/proc/self/fd"))
    lw.save(path, MODEL)
    fail(monkeypatch, "rename")
    with pytest.raises(lw.CheckpointError):
        lw.save(path, MODEL)
    with pytest.raises(lw.CheckpointError):
        lw.load(path.parent)
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_tensor_that_changes_during_a_save_is_noticed(path, monkeypatch):
    before = path.read_bytes()
    weights = np.zeros(100_000)
    real = os.fsync

    def change(fd):
        weights[7] = 1
        return real(fd)

    monkeypatch.setattr(commit.os, "fsync", lambda fd: real(fd) if is_folder(fd) else change(fd))
    with pytest.raises(lw.CheckpointError) as caught:
        lw.save(path, {"w": weights})
    assert (caught.value.code, caught.value.tensor) == ("CKPT_TENSOR_CHANGED", "w")
    monkeypatch.undo()
    assert path.read_bytes() == before
    only(path)


def test_the_mode_of_a_replaced_file_is_kept(path):
    path.chmod(0o640)
    lw.save(path, MODEL)
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_a_new_file_has_the_mode_that_the_umask_leaves(tmp_path):
    old = os.umask(0o027)
    try:
        lw.save(tmp_path / "new.ckpt", MODEL)
    finally:
        os.umask(old)
    assert stat.S_IMODE((tmp_path / "new.ckpt").stat().st_mode) == 0o640


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give files away")
def test_the_owner_of_a_replaced_file_is_kept(path):
    os.chown(path, 1234, 2345)
    lw.save(path, MODEL)
    assert (path.stat().st_uid, path.stat().st_gid) == (1234, 2345)


def test_a_symbolic_link_stays_and_its_file_is_replaced(tmp_path):
    folder = tmp_path / "real"
    folder.mkdir()
    link = tmp_path / "latest.ckpt"
    link.symlink_to("real/step-1.ckpt")
    lw.save(link, MODEL)
    assert link.is_symlink() and (folder / "step-1.ckpt").is_file()
    loop = tmp_path / "loop"
    loop.symlink_to("loop")
    with pytest.raises(lw.CheckpointError) as caught:
        lw.save(loop, MODEL)
    assert caught.value.code == "CKPT_NOT_COMMITTED"


def test_missing_folders_are_made(tmp_path):
    path = tmp_path / "a" / "b" / "run.ckpt"
    lw.save(path, MODEL)
    lw.verify(path)


def test_what_is_no_file_is_not_replaced(tmp_path):
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    folder = tmp_path / "folder"
    folder.mkdir()
    for path in (fifo, folder):
        with pytest.raises(lw.CheckpointError) as caught:
            lw.save(path, MODEL)
        assert caught.value.code == "CKPT_NOT_COMMITTED"
    with pytest.raises(ValueError):
        lw.save(f"{folder}/", MODEL)


def test_files_of_dead_processes_are_removed_and_no_others(tmp_path):
    done = subprocess.Popen(["true"])
    done.wait()
    suffix = temporary_file.temporary_name("x").split(".")
    dead = tmp_path / f".run.ckpt.{suffix[-4]}.{done.pid}.{'0' * 16}.tmp"
    alive = tmp_path / f".run.ckpt.{suffix[-4]}.{os.getpid()}.{'0' * 16}.tmp"
    foreign = tmp_path / f".run.ckpt.ffffffff.{done.pid}.{'0' * 16}.tmp"
    old = tmp_path / f".run.ckpt.ffffffff.{done.pid}.{'1' * 16}.tmp"
    other = tmp_path / ".run.ckpt.tmp"
    for path in (dead, alive, foreign, old, other):
        path.write_bytes(b"x")
    os.utime(old, (1, 1))
    lw.save(tmp_path / "run.ckpt", MODEL)
    assert not dead.exists() and not old.exists()
    assert alive.exists() and foreign.exists() and other.exists()


def test_the_longest_name_still_has_a_temporary_one(tmp_path):
    path = tmp_path / ("ß" * 125 + ".ckpt")
    lw.save(path, MODEL)
    lw.verify(path)


def test_temporary_names_are_those_of_the_typescript_library(typescript):
    theirs = typescript("temporary-name.ts", "a.ckpt").strip().split(".")
    ours = temporary_file.temporary_name("a.ckpt").split(".")
    assert (theirs[:4], len(theirs)) == (ours[:4], len(ours))
