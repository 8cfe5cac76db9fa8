import errno
import fcntl
import os
import shutil
import stat
import struct
import subprocess
import warnings

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
    with pytest.raises(lw.CheckpointError, match="found 0") as caught:
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


def access_list(group=0, mask=6):
    def entry(tag, rights, number=0xFFFFFFFF):
        return struct.pack("<HHI", tag, rights, number)

    entries = entry(1, 6) + entry(2, 6, 5000) + entry(4, group) + entry(16, mask) + entry(32, 0)
    return struct.pack("<I", 2) + entries


ACCESS, DEFAULT = "system.posix_acl_access", "system.posix_acl_default"


def attributes_of(path):
    names = [name for name in os.listxattr(path) if not name.startswith("security.")]
    return {name: os.getxattr(path, name) for name in names}


@pytest.mark.skipif(not hasattr(os, "setxattr"), reason="access lists are looked at on Linux")
def test_the_access_list_and_the_attributes_of_a_replaced_file_are_kept(path):
    os.setxattr(path, ACCESS, access_list())
    os.setxattr(path, "user.note", b"keep me")
    before = attributes_of(path)
    assert len(before) == 2
    lw.save(path, MODEL)
    assert attributes_of(path) == before
    assert stat.S_IMODE(path.stat().st_mode) == 0o660


@pytest.mark.skipif(not hasattr(os, "setxattr"), reason="access lists are looked at on Linux")
def test_a_file_without_an_access_list_does_not_get_that_of_its_folder(path):
    path.chmod(0o640)
    os.setxattr(path.parent, DEFAULT, access_list())
    lw.save(path, MODEL)
    assert attributes_of(path) == {}
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


@pytest.mark.skipif(not hasattr(os, "setxattr"), reason="access lists are looked at on Linux")
def test_where_the_access_list_is_lost_the_owner_alone_has_access(path, monkeypatch):
    os.setxattr(path, ACCESS, access_list())
    fail(monkeypatch, "setxattr", number=errno.EPERM)
    lw.save(path, MODEL)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give files away")
@pytest.mark.parametrize("group_kept", [True, False])
def test_a_group_that_may_be_kept_is_where_the_owner_may_not(path, monkeypatch, group_kept):
    os.chown(path, 1234, 2345)
    path.chmod(0o6664)
    fail(monkeypatch, "fchown", lambda fd, uid, gid: uid != -1 or not group_kept, errno.EPERM)
    lw.save(path, MODEL)
    status = path.stat()
    assert status.st_uid == os.geteuid()
    assert status.st_gid == (2345 if group_kept else os.getegid())
    assert stat.S_IMODE(status.st_mode) == (0o2664 if group_kept else 0o604)


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


def ended_process():
    done = subprocess.Popen(["true"])
    done.wait()
    return done.pid


def plant(folder, pid=None, tag=None, locked=False, age=0):
    """A temporary file of that process, machine and age, in seconds."""
    parts = temporary_file.temporary_name("run.ckpt", locked).split(".")
    at = parts.index(str(os.getpid()))
    parts[at - 1 : at + 1] = [tag or parts[at - 1], str(pid or os.getpid())]
    path = folder / ".".join(parts)
    path.write_bytes(b"x")
    if age:
        then = path.stat().st_mtime - age
        os.utime(path, (then, then))
    return path


def left_after_save(tmp_path):
    lw.save(tmp_path / "run.ckpt", MODEL)
    return {path for path in tmp_path.iterdir() if path.name != "run.ckpt"}


DAY = 24 * 60 * 60


def test_files_of_dead_processes_are_removed_and_no_others(tmp_path):
    dead = ended_process()
    plant(tmp_path, dead)
    plant(tmp_path, dead, locked=True)
    plant(tmp_path, dead, "ffffffff", age=DAY + 60)
    kept = {plant(tmp_path), plant(tmp_path, dead, "ffffffff"), tmp_path / ".run.ckpt.tmp"}
    (tmp_path / ".run.ckpt.tmp").write_bytes(b"x")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert left_after_save(tmp_path) == kept


def test_a_file_whose_lock_can_be_taken_is_of_a_dead_saver(tmp_path):
    plant(tmp_path, locked=True)
    plant(tmp_path, 1, "ffffffff", locked=True)
    assert left_after_save(tmp_path) == set()


def test_a_file_whose_lock_is_held_stays(tmp_path):
    path = plant(tmp_path, ended_process(), "ffffffff", locked=True, age=9 * DAY)
    with open(path, "rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert left_after_save(tmp_path) == {path}
    assert left_after_save(tmp_path) == set()


def test_a_lock_that_may_not_reach_other_machines_is_no_proof_for_a_day(tmp_path, monkeypatch):
    monkeypatch.setattr(temporary_file, "_is_local", lambda path: False)
    plant(tmp_path, 1, "ffffffff", locked=True, age=DAY + 60)
    young = plant(tmp_path, 1, "ffffffff", locked=True)
    plant(tmp_path, locked=True)
    assert left_after_save(tmp_path) == {young}


def test_where_nothing_can_be_locked_what_is_uncertain_stays_with_a_warning(tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError(errno.ENOLCK, "no locks")

    monkeypatch.setattr(temporary_file.fcntl, "flock", refuse)
    monkeypatch.setattr(temporary_file, "_warned", False)
    plant(tmp_path, ended_process(), locked=True)
    unsure = {plant(tmp_path, locked=True, age=9 * DAY), plant(tmp_path, locked=True)}
    with pytest.warns(RuntimeWarning) as caught:
        assert left_after_save(tmp_path) == unsure
    assert len(caught) == 1
    lw.verify(tmp_path / "run.ckpt")


def names_during_a_save(tmp_path, monkeypatch):
    """The temporary files that there are in the middle of a save, and whether each can be locked."""
    seen = {}
    real = os.pwrite

    def look(*arguments):
        for path in tmp_path.glob(".*.tmp"):
            with open(path, "rb") as file:
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    seen[path.name] = True
                except BlockingIOError:
                    seen[path.name] = False
        return real(*arguments)

    monkeypatch.setattr(commit.os, "pwrite", look)
    lw.save(tmp_path / "run.ckpt", MODEL)
    monkeypatch.undo()
    return seen


def test_the_temporary_file_of_a_save_is_locked(tmp_path, monkeypatch):
    [(name, can_be_locked)] = names_during_a_save(tmp_path, monkeypatch).items()
    assert name.endswith(".locked.tmp") and not can_be_locked


def test_a_file_that_another_saver_sweeps_before_it_is_locked_is_created_anew(tmp_path, monkeypatch):
    real = fcntl.flock
    swept = []

    def sweep(file, operation):
        if not swept:
            for path in tmp_path.glob(".*.tmp"):
                path.unlink()
                swept.append(path)
        return real(file, operation)

    monkeypatch.setattr(temporary_file.fcntl, "flock", sweep)
    lw.save(tmp_path / "run.ckpt", MODEL)
    monkeypatch.undo()
    assert len(swept) == 1
    lw.verify(tmp_path / "run.ckpt")
    only(tmp_path / "run.ckpt")


def test_where_each_lock_is_held_the_file_is_not_locked_in_the_end(tmp_path, monkeypatch):
    def held(*_):
        raise BlockingIOError

    monkeypatch.setattr(temporary_file.fcntl, "flock", held)
    lw.save(tmp_path / "run.ckpt", MODEL)
    only(tmp_path / "run.ckpt")


@pytest.mark.parametrize("how", ["file", "moved", "removed"])
def test_a_temporary_file_or_folder_that_goes_during_a_save_is_no_commit(tmp_path, monkeypatch, how):
    folder = tmp_path / "run"
    path = folder / "run.ckpt"
    lw.save(path, {"old": np.zeros(3)})
    real = os.rename

    def disturb(*arguments):
        if how == "file":
            for temporary in folder.glob(".*.tmp"):
                temporary.unlink()
        elif how == "moved":
            real(folder, tmp_path / "moved")
        else:
            shutil.rmtree(folder)
        return real(*arguments)

    monkeypatch.setattr(commit.os, "rename", disturb)
    with pytest.raises(lw.CheckpointError, match="removed or moved") as caught:
        lw.save(path, MODEL)
    monkeypatch.undo()
    assert caught.value.code == "CKPT_NOT_COMMITTED"
    if how == "file":
        assert list(lw.load(path).model) == ["old"]
        only(path)


def test_another_file_in_the_place_of_the_old_one_is_uncertain(path, monkeypatch):
    real = os.rename

    def disturb(*arguments):
        for temporary in path.parent.glob(".*.tmp"):
            temporary.unlink()
        other = path.parent / "other"
        other.write_bytes(b"x")
        real(other, path)
        return real(*arguments)

    monkeypatch.setattr(commit.os, "rename", disturb)
    with pytest.raises(lw.CheckpointError, match="uncertain") as caught:
        lw.save(path, MODEL)
    assert caught.value.code == "CKPT_NOT_DURABLE"


def test_dots_behind_a_link_are_the_folder_above_the_real_one(tmp_path):
    (tmp_path / "disk" / "data").mkdir(parents=True)
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "data").symlink_to(tmp_path / "disk" / "data")
    path = f"{tmp_path}/home/data/../run.ckpt"
    lw.save(path, MODEL)
    lw.verify(path)
    lw.verify(tmp_path / "disk" / "run.ckpt")
    link = tmp_path / "home" / "link.ckpt"
    link.symlink_to("data/../latest.ckpt")
    lw.save(link, MODEL)
    lw.verify(tmp_path / "disk" / "latest.ckpt")


def test_the_longest_name_still_has_a_temporary_one(tmp_path):
    path = tmp_path / ("ß" * 125 + ".ckpt")
    lw.save(path, MODEL)
    lw.verify(path)


def test_temporary_names_are_those_of_the_typescript_library(typescript):
    theirs = typescript("temporary-name.ts", "a.ckpt").strip().split(".")
    ours = temporary_file.temporary_name("a.ckpt").split(".")
    assert (theirs[:4], len(theirs)) == (ours[:4], len(ours))
