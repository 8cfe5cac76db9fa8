"""The temporary files of commits: their names, and which of them no save needs any more. A process
that is killed during a save leaves its file behind. The file is as large as a checkpoint, so the
next save into the same folder removes it.

A name holds the name of the destination, a tag of the machine, the number of the process, and 64
random bits: ``.step-1000.ckpt.5f0c2a91.4711.9d3b7e66c0a1f824.locked.tmp``. A saver holds the
advisory lock (``flock``) of its file as long as the file has such a name. If the lock of a file can
be taken, its saver is dead. Without ``.locked``, number and age decide. The TypeScript library
obeys the same protocol, so each cleans up after the other: see docs/reliability.md.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import re
import secrets
import socket
import stat
import sys
import time
import warnings
from typing import NamedTuple, Optional

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

# The longest name that ext4, XFS and APFS take, in bytes.
_MAX_NAME_BYTES = 255

_PATTERN = re.compile(
    r"\..+\.([0-9a-f]{8})\.([1-9][0-9]{0,9})\.[0-9a-f]{16}(\.locked)?\.tmp", re.DOTALL
)

# If nothing better tells, a file is removed after this many seconds without writes, which exceeds
# any save.
_OLD = 24 * 60 * 60

# Names have 64 random bits, so a name that is taken was planted; a few more are tried. Another
# saver may also take a file for a leftover and remove it before it is locked.
_NAME_TRIES = 4

# File systems that belong to one machine, so that every process that opens a file sees its lock.
_LOCAL = frozenset(
    ("ext2", "ext3", "ext4", "xfs", "btrfs", "tmpfs", "overlay", "f2fs", "zfs", "bcachefs")
)


class TemporaryFile(NamedTuple):
    """A temporary file that is open for writing."""

    path: str
    file: int
    # Whether the file is locked and has such a name. The lock ends when the file is closed.
    locked: bool
    # Its status after creation.
    status: os.stat_result


def temporary_name(name: str, locked: bool = True) -> str:
    """A new name for a temporary file next to the file ``name``; at most 255 bytes."""
    random = secrets.token_hex(8)
    suffix = f".{_machine().tag}.{os.getpid()}.{random}{'.locked' if locked else ''}.tmp"
    while len(os.fsencode(f".{name}{suffix}")) > _MAX_NAME_BYTES:
        name = name[:-1]
    return f".{name}{suffix}"


def create_temporary_file(folder: str, name: str, mode: int) -> TemporaryFile:
    """Creates and locks a temporary file in a folder, for the file ``name`` there. If files cannot
    be locked, the file gets the name of an unlocked one. Raises OSError, and then leaves nothing
    behind."""
    for tries in range(_NAME_TRIES, 0, -1):
        # The last attempt does not lock: other savers may win each time.
        locking = tries > 1
        path = os.path.join(folder, temporary_name(name, locking))
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        try:
            file = os.open(path, flags, mode)
        except FileExistsError:
            if not locking:
                raise
            continue
        try:
            status = os.fstat(file)
            if not locking:
                return TemporaryFile(path, file, False, status)
            lock = _lock(file)
            if lock is None:
                return TemporaryFile(without_lock(path), file, False, status)
            # Another saver may have locked the file first, and removed it as a leftover.
            if lock and is_file_at(path, status):
                return TemporaryFile(path, file, True, status)
            os.close(file)
            with contextlib.suppress(OSError):
                os.unlink(path)
        except BaseException:
            with contextlib.suppress(OSError):
                os.close(file)
            with contextlib.suppress(OSError):
                os.unlink(path)
            raise
    raise AssertionError("the last try returns or raises")


def without_lock(path: str) -> str:
    """Gives a temporary file the name of an unlocked one, and returns the new path."""
    unlocked = path[: -len(".locked.tmp")] + ".tmp"
    os.rename(path, unlocked)
    return unlocked


def is_file_at(path: str, status: os.stat_result) -> bool:
    """Whether the file with that status is the one at a path. Does not follow a link."""
    try:
        return os.path.samestat(os.lstat(path), status)
    except FileNotFoundError:
        return False


def sweep_temporary_files(folder: str) -> None:
    """Removes the temporary files of dead savers in a folder. Files of living savers stay, and so
    does every file with another kind of name. If nothing tells whether a saver lives, its file
    stays too, with one warning per process. Never raises."""
    try:
        names = os.listdir(folder)
    except OSError:
        return
    for name in names:
        match = _PATTERN.fullmatch(name)
        if match is None:
            continue
        tag, number, locked = match.groups()
        path = os.path.join(folder, name)
        # Already removed, or this process may not remove it.
        with contextlib.suppress(OSError):
            if _is_dead(tag, int(number)):
                os.unlink(path)
            elif locked is None:
                _sweep_unlocked(path, tag)
            else:
                _sweep_locked(path, tag)


def _sweep_unlocked(path: str, tag: str) -> None:
    """Sweeps the file of a saver that may be alive, without a lock that could tell."""
    if _is_old(os.lstat(path)):
        os.unlink(path)
    elif not _is_of_this_machine(tag):
        _warn_once(path, "until a day has passed without a write to it")


def _sweep_locked(path: str, tag: str) -> None:
    # Does not wait for a pipe of that name.
    flags = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        # NFS locks only files that are open for writing.
        file = os.open(path, os.O_RDWR | flags)
    except OSError:
        file = os.open(path, os.O_RDONLY | flags)
    try:
        lock = _lock(file)
        if lock is None:
            _warn_once(path, "until a save that can lock files looks at it")
        if not lock:
            return
        status = os.fstat(file)
        # Before this process got the lock, the file may have been committed and its name reused.
        if not is_file_at(path, status) or not stat.S_ISREG(status.st_mode):
            return
        # The lock of a saver on another machine may not reach this one.
        if _is_of_this_machine(tag) or _is_local(path) or _is_old(status):
            os.unlink(path)
    finally:
        os.close(file)


def _lock(file: int) -> Optional[bool]:
    """Takes the lock of an open file until it is closed, if no other process holds it. None if
    files cannot be locked."""
    if fcntl is None:
        return None
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    except BlockingIOError:
        return False
    except OSError:
        return None


def _is_old(status: os.stat_result) -> bool:
    return time.time() - status.st_mtime > _OLD


def _is_local(path: str) -> bool:
    """Whether only this machine has the files at a path. Only Linux tells."""
    device = os.lstat(path).st_dev
    number = f"{os.major(device)}:{os.minor(device)}"
    try:
        with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as mounts:
            types = {
                line.split(" - ", 1)[1].split(" ")[0]
                for line in mounts
                if line.split(" ")[2] == number
            }
    except OSError:
        return False
    return bool(types) and types <= _LOCAL


def _is_dead(tag: str, pid: int) -> bool:
    """Whether a process has certainly ended."""
    if not _is_of_this_machine(tag) or not _machine().known:
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except (OSError, OverflowError):
        pass
    return False


def _is_of_this_machine(tag: str) -> bool:
    """Whether a tag belongs to this machine and container."""
    here = _machine()
    # On other systems than Linux the machine's name alone tells.
    return tag == here.tag and (here.known or not sys.platform.startswith("linux"))


_warned = False


def _warn_once(path: str, until: str) -> None:
    global _warned
    if _warned:
        return
    _warned = True
    warnings.warn(
        f"{os.path.basename(path)!a} was left by a process that was killed during a save, or belongs to "
        f"a save that is under way: nothing tells which, so it stays {until}. Remove it if no save is "
        "under way",
        RuntimeWarning,
        stacklevel=2,
    )


class _Machine(NamedTuple):
    """This machine since its last boot, and this container."""

    #: Eight hexadecimal digits.
    tag: str
    # Whether equal tags imply that equal process numbers are the same process.
    known: bool


@functools.lru_cache(maxsize=None)
def _machine() -> _Machine:
    boot, namespace = "", ""
    with contextlib.suppress(OSError):
        with open("/proc/sys/kernel/random/boot_id", encoding="utf-8") as file:
            boot = file.read()
    with contextlib.suppress(OSError):
        namespace = os.readlink("/proc/self/ns/pid")
    text = "\n".join((socket.gethostname(), boot, namespace)).encode("utf-8", "surrogateescape")
    return _Machine(hashlib.sha256(text).hexdigest()[:8], boot != "" and namespace != "")
