"""The temporary files of commits: how they are called, and which of them no save needs any more. A
process that is killed during a save leaves one behind; the next save into the same folder removes it,
as it is as large as a checkpoint.

A name has the file that it is for, the machine and the process that made it, and 64 random bits:
``.step-1000.ckpt.5f0c2a91.4711.9d3b7e66c0a1f824.locked.tmp``. A saver holds the advisory lock
(``flock``) of a file of such a name for as long as the file has the name, so one whose lock can be
taken is of a dead saver. Without ``.locked`` the number and the age decide. The TypeScript library
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

# Where nothing better tells, a file goes that has not been written to for longer than any save takes,
# in seconds.
_OLD = 24 * 60 * 60

# Names are 64 random bits, so one that is taken was planted; then a few more are tried. The file of a
# name can also be removed before it is locked, by another saver that took it for a leftover.
_NAME_TRIES = 4

# File systems that are this machine's alone, so that a lock is seen by all who open the file.
_LOCAL = frozenset(
    ("ext2", "ext3", "ext4", "xfs", "btrfs", "tmpfs", "overlay", "f2fs", "zfs", "bcachefs")
)


class TemporaryFile(NamedTuple):
    """A temporary file that is open for writing."""

    path: str
    file: int
    #: Whether the file is locked, and named so; the lock ends when the file is closed.
    locked: bool
    #: As it was created.
    status: os.stat_result


def temporary_name(name: str, locked: bool = True) -> str:
    """A new name for a temporary file beside the file ``name``; at most 255 bytes."""
    random = secrets.token_hex(8)
    suffix = f".{_machine().tag}.{os.getpid()}.{random}{'.locked' if locked else ''}.tmp"
    while len(os.fsencode(f".{name}{suffix}")) > _MAX_NAME_BYTES:
        name = name[:-1]
    return f".{name}{suffix}"


def create_temporary_file(folder: str, name: str, mode: int) -> TemporaryFile:
    """Creates and locks a temporary file in a folder, for the file ``name`` there. Where nothing can
    be locked the file has the name of one that is not. Raises OSError; nothing is left then."""
    for tries in range(_NAME_TRIES, 0, -1):
        # The last one is not locked: others may be quick each time.
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
            # Before the lock another saver may have locked it, and removed it as a leftover.
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
    """Gives a temporary file the name of one that is not locked, and returns the new path."""
    unlocked = path[: -len(".locked.tmp")] + ".tmp"
    os.rename(path, unlocked)
    return unlocked


def is_file_at(path: str, status: os.stat_result) -> bool:
    """Whether the file of that status is the one at a path, which is not followed if it is a link."""
    try:
        return os.path.samestat(os.lstat(path), status)
    except FileNotFoundError:
        return False


def sweep_temporary_files(folder: str) -> None:
    """Removes the temporary files in a folder that dead savers have left behind. Those of living
    savers stay, and so does every file that is not called like one of ours. Where nothing tells
    whether a saver lives, its file stays as well, with a warning, once. Never raises: this is
    tidying."""
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
        # Gone already, or not ours to remove.
        with contextlib.suppress(OSError):
            if _is_dead(tag, int(number)):
                os.unlink(path)
            elif locked is None:
                _sweep_unlocked(path, tag)
            else:
                _sweep_locked(path, tag)


def _sweep_unlocked(path: str, tag: str) -> None:
    """Of a saver that may be alive, without a lock that could tell."""
    if _is_old(os.lstat(path)):
        os.unlink(path)
    elif not _is_of_this_machine(tag):
        _warn_once(path, "until it has not been written to for a day")


def _sweep_locked(path: str, tag: str) -> None:
    # A pipe of that name is not waited for.
    flags = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        # NFS locks what is open for writing.
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
        # It may have been committed, and its name be another's, before we had the lock.
        if not is_file_at(path, status) or not stat.S_ISREG(status.st_mode):
            return
        # The lock of a saver on another machine may not reach this one.
        if _is_of_this_machine(tag) or _is_local(path) or _is_old(status):
            os.unlink(path)
    finally:
        os.close(file)


def _lock(file: int) -> Optional[bool]:
    """Takes the lock of an open file until it is closed, if it can be had at once; None where nothing
    can be locked."""
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
    """Whether the files at a path are this machine's alone. Linux tells; elsewhere it is unknown."""
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
    """Whether a process certainly has ended."""
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
    """Whether a tag is of this machine and container."""
    here = _machine()
    # Elsewhere than on Linux the machine's name alone tells.
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
    """Which machine, since it was started, and which container this is."""

    #: Eight hexadecimal digits.
    tag: str
    #: Whether equal tags mean that equal process numbers are the same process.
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
