"""The commit of a file, atomic and durable: whoever opens the path finds the whole old file or the
whole new one, at every instant, and after a power cut at any instant; and once ``commit`` has
returned, the new one.

  1. Missing folders are created, and each one's name synced in the folder above; so is that of the
     lowest one that was there. The destination is resolved: a symbolic link is followed and stays.
  2. A temporary file is created in the same folder, exclusively and under an unpredictable name; it
     takes the mode and owner of the file that it is to replace. Those that killed processes have
     left there are removed.
  3. All bytes are written; a short write is gone on with, and the length is checked.
  4. The file is synced. A sync that fails is not tried again: after an error the system may have
     dropped the pages and call the next one a success.
  5. The file is renamed over the destination, and the folder, opened beforehand, synced.

A failure up to the rename leaves the destination as it was and removes the temporary file. After a
failure past it the new file is there, and it is uncertain whether a power cut undoes it.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from typing import Iterator, Optional

from .error import CheckpointError
from .temporary_file import sweep_temporary_files, temporary_name

# Most bytes handed to one write call; the system stops at 2 GiB.
_MAX_WRITE = 64 * 1024 * 1024

# What a file system answers that cannot sync folders.
_CANNOT_SYNC = (errno.EINVAL, errno.ENOTSUP, errno.ENOSYS, errno.EPERM)

# Symbolic links that point to one another, at most; Linux's own limit.
_MAX_LINKS = 40

# Names are 64 random bits, so one that is taken is somebody's doing; then a few more are tried.
_NAME_TRIES = 4


class FileCommit:
    """One file on its way to ``path``; it will have ``length`` bytes. Raises CKPT_NOT_COMMITTED
    from every step before the rename; call ``abort`` then."""

    def __init__(self, path: str, length: int) -> None:
        self._length = length
        self._file: Optional[int] = None
        self._folder: Optional[int] = None
        self._temporary: Optional[str] = None
        self._committed = False
        self._destination = path
        try:
            self._begin(path)
        except BaseException:
            self.abort()
            raise

    def write(self, data: memoryview, position: int) -> None:
        """Writes ``data``, a view of bytes, at ``position``."""
        with _step("write"):
            done = 0
            while done < len(data):
                count = os.pwrite(self._open(), data[done : done + _MAX_WRITE], position + done)
                # A full disk shows as a short count first. One of zero would go on for ever.
                if count == 0:
                    raise OSError("the system wrote nothing and gave no reason")
                done += count

    def sync(self) -> None:
        """Makes sure that all bytes are there, and on the disk."""
        with _step("write"):
            size = os.fstat(self._open()).st_size
            if size != self._length:
                raise OSError(f"{size} bytes arrived of {self._length}")
            os.fsync(self._open())

    def commit(self) -> str:
        """Puts the file into its place. Returns ``durable``, or ``file-only`` where the file system
        cannot sync folders. Raises CKPT_NOT_COMMITTED or CKPT_NOT_DURABLE."""
        temporary = self._temporary
        if temporary is None:
            raise ValueError("there is nothing to commit")
        with _step("commit"):
            file, self._file = self._open(), None
            os.close(file)
            try:
                os.rename(temporary, self._destination)
            except OSError as cause:
                self._check_not_renamed(temporary, cause)
                raise
        self._committed = True
        return self._sync_folder()

    def abort(self) -> None:
        """Lets go of everything, and removes the temporary file where it was not committed."""
        file, self._file = self._file, None
        if file is not None:
            with contextlib.suppress(OSError):
                os.close(file)
        self._close_folder()
        temporary, self._temporary = self._temporary, None
        if temporary is not None and not self._committed:
            with contextlib.suppress(OSError):
                os.unlink(temporary)

    def _begin(self, path: str) -> None:
        with _step("prepare the folder of"):
            _make_folder(os.path.dirname(os.path.abspath(path)))
            self._destination = _resolve_links(path)
        with _step("examine"):
            replaced = _existing(self._destination)
        with _step("create a temporary file beside"):
            folder = os.path.dirname(self._destination)
            # Opened before the commit, so that a lack of descriptors or of rights shows in time.
            self._folder = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            # First: on a full disk it may be what makes room.
            sweep_temporary_files(folder)
            self._create(folder, 0o666 if replaced is None else 0o600)
            if replaced is not None:
                self._take_after(replaced)

    def _create(self, folder: str, mode: int) -> None:
        for tries in range(_NAME_TRIES, 0, -1):
            path = os.path.join(folder, temporary_name(os.path.basename(self._destination)))
            try:
                self._file = os.open(
                    path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode
                )
                self._temporary = path
                return
            except FileExistsError:
                if tries == 1:
                    raise

    def _take_after(self, replaced: os.stat_result) -> None:
        """Takes the mode and the owner of the file that is to be replaced."""
        file = self._open()
        fresh = os.fstat(file)
        mode = stat.S_IMODE(replaced.st_mode)
        if (fresh.st_uid, fresh.st_gid) != (replaced.st_uid, replaced.st_gid):
            try:
                os.fchown(file, replaced.st_uid, replaced.st_gid)
            except OSError:
                # Only root may give files away. Then nobody of our own group gets in by the mode
                # that was meant for the other one.
                if fresh.st_gid != replaced.st_gid:
                    mode &= 0o7707
        os.fchmod(file, mode)

    def _check_not_renamed(self, temporary: str, cause: OSError) -> None:
        """A rename that failed may have taken place: over a network the answer can be lost. Then
        nobody may be told that the old file is untouched."""
        try:
            os.lstat(temporary)
            return
        except FileNotFoundError:
            pass
        except OSError:
            # It cannot be looked at: nothing speaks against the error.
            return
        self._committed = True
        raise CheckpointError(
            "CKPT_NOT_DURABLE",
            "the new checkpoint is in place, though the system reported an error for that: a power "
            f"cut may bring back what was there before ({_reason(cause)})",
        ) from cause

    def _sync_folder(self) -> str:
        folder = self._folder
        if folder is None:
            return "file-only"
        try:
            os.fsync(folder)
            # XFS that has shut itself down calls the sync of a folder a success that does nothing.
            # To this it answers with EIO.
            os.fstat(folder)
            return "durable"
        except OSError as cause:
            if cause.errno in _CANNOT_SYNC:
                return "file-only"
            raise CheckpointError(
                "CKPT_NOT_DURABLE",
                "the new checkpoint is in place, but its folder could not be synced: a power cut "
                f"may bring back what was there before ({_reason(cause)})",
            ) from cause
        finally:
            self._close_folder()

    def _close_folder(self) -> None:
        folder, self._folder = self._folder, None
        if folder is not None:
            with contextlib.suppress(OSError):
                os.close(folder)

    def _open(self) -> int:
        if self._file is None:
            raise ValueError("this file is not open")
        return self._file


@contextlib.contextmanager
def _step(what: str) -> Iterator[None]:
    """A step before the commit; what fails there is CKPT_NOT_COMMITTED."""
    try:
        yield
    except OSError as cause:
        raise CheckpointError(
            "CKPT_NOT_COMMITTED",
            "nothing was saved, and what was there before is untouched: could not "
            f"{what} the file ({_reason(cause)})",
        ) from cause


def _reason(error: OSError) -> str:
    return error.strerror or str(error)


def _resolve_links(path: str) -> str:
    """Follows symbolic links to the file that they name, which need not exist."""
    current = os.path.abspath(path)
    for _ in range(_MAX_LINKS + 1):
        folder = os.path.realpath(os.path.dirname(current))
        real = os.path.join(folder, os.path.basename(current))
        try:
            if not stat.S_ISLNK(os.lstat(real).st_mode):
                return real
        except FileNotFoundError:
            return real
        # Not made absolute by its text: `..` in a link means the folder above the real one.
        target = os.path.join(folder, os.readlink(real))
        current = os.path.join(
            os.path.realpath(os.path.dirname(target)), os.path.basename(target)
        )
    raise OSError(errno.ELOOP, "the symbolic links go round in a circle")


def _existing(path: str) -> Optional[os.stat_result]:
    """The file that is to be replaced, or None where there is none."""
    try:
        status = os.lstat(path)
    except FileNotFoundError:
        return None
    if not stat.S_ISREG(status.st_mode):
        folder = stat.S_ISDIR(status.st_mode)
        raise OSError("it is a folder" if folder else "it is a device, pipe or socket")
    return status


def _make_folder(path: str) -> None:
    """Makes sure of a folder and those above it, each durably: its name is synced in the one
    above."""
    if os.path.exists(path):
        # Whoever made it may be about to sync its name, may have failed to, or been killed before.
        _sync_names(os.path.dirname(os.path.realpath(path)), may_be_closed=True)
        return
    parent = os.path.dirname(path)
    _make_folder(parent)
    with contextlib.suppress(FileExistsError):
        # Somebody else may have made it in the meantime.
        os.mkdir(path)
    _sync_names(parent)


def _sync_names(path: str, may_be_closed: bool = False) -> None:
    """Syncs a folder, where the system can; one that others own may be closed to us."""
    try:
        folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except PermissionError:
        if may_be_closed:
            return
        raise
    try:
        os.fsync(folder)
    except OSError as error:
        # Where the system cannot, the commit finds the same, and says so.
        if error.errno not in _CANNOT_SYNC:
            raise
    finally:
        os.close(folder)
