"""The commit of a file, atomic and durable. At every instant, and after a power cut at any instant, the
path holds the whole old file or the whole new one. Once ``commit`` has returned, it holds the new one.

  1. Missing folders are created, and the name of each is synced in the folder above. So is the name of
     the lowest existing folder. The destination is resolved: symbolic links are followed and stay.
  2. The temporary files of dead savers in the same folder are removed. A new one is created there,
     exclusively and under an unpredictable name, and locked. While the lock is held, no other saver
     takes the file for a leftover. It takes the mode, the owner and the access list of the file that
     it replaces.
  3. All bytes are written; a short write is continued, and the length is verified.
  4. The file is synced. A failed sync is never retried: after an error the system may have dropped
     the pages, and the next sync would succeed.
  5. The file is renamed over the destination and then closed, which ends its lock. The folder, which
     was opened before, is synced.

A failure up to the rename leaves the destination as it was and removes the temporary file. After a
later failure the new file is in place, but a power cut may undo the rename.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from typing import Iterator, Optional

from .error import CheckpointError
from .temporary_file import create_temporary_file, is_file_at, sweep_temporary_files

# Most bytes in one write call; the system stops at 2 GiB.
_MAX_WRITE = 64 * 1024 * 1024

# The errors of file systems that cannot sync folders.
_CANNOT_SYNC = (errno.EINVAL, errno.ENOTSUP, errno.ENOSYS, errno.EPERM)

# Most symbolic links that point to one another: Linux's own limit.
_MAX_LINKS = 40


class FileCommit:
    """One file on its way to ``path``, of ``length`` bytes. Every step before the rename raises
    CKPT_NOT_COMMITTED; call ``abort`` then."""

    def __init__(self, path: str, length: int) -> None:
        self._length = length
        self._file: Optional[int] = None
        self._folder: Optional[int] = None
        self._temporary: Optional[str] = None
        # The statuses of the new temporary file, and of the file that it replaces.
        self._status: Optional[os.stat_result] = None
        self._replaced: Optional[os.stat_result] = None
        self._locked = False
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
                # A full disk first shows as a short count. A count of zero would loop for ever.
                if count == 0:
                    raise OSError("the system wrote 0 bytes without an error")
                done += count

    def sync(self) -> None:
        """Verifies that all bytes have been written, and syncs them to the disk."""
        with _step("write"):
            size = os.fstat(self._open()).st_size
            if size != self._length:
                raise OSError(f"expected a file of {self._length} bytes, found {size}")
            os.fsync(self._open())

    def commit(self) -> str:
        """Renames the file over its destination. Returns ``durable``, or ``file-only`` if the file
        system cannot sync folders. Raises CKPT_NOT_COMMITTED or CKPT_NOT_DURABLE."""
        temporary = self._temporary
        if temporary is None:
            raise ValueError("there is nothing to commit")
        file = self._open()
        with _step("commit"):
            # After a sync, closing has no errors left to report, and the lock must last as long as
            # the file has the name of a locked one.
            if not self._locked:
                self._file = None
                os.close(file)
            try:
                os.rename(temporary, self._destination)
            except OSError as cause:
                error = self._failed_rename(temporary, cause)
                if error is cause:
                    raise
                raise error from cause
        self._committed = True
        if self._locked:
            self._file = None
            with contextlib.suppress(OSError):
                os.close(file)
        return self._sync_folder()

    def abort(self) -> None:
        """Releases everything, and removes the temporary file unless it was committed."""
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
            # `..` stays: after a link it is the folder above the link's target.
            if not os.path.isabs(path):
                path = os.path.join(os.getcwd(), path)
            _make_folder(os.path.dirname(path))
            self._destination = _resolve_links(path)
        with _step("examine"):
            replaced = self._replaced = _existing(self._destination)
        with _step("create a temporary file next to"):
            folder, name = os.path.split(self._destination)
            # Opened before the commit, so that missing descriptors or rights show in time.
            self._folder = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            # Comes before the new file: on a full disk it may make room for it.
            sweep_temporary_files(folder)
            created = create_temporary_file(folder, name, 0o666 if replaced is None else 0o600)
            self._temporary, self._file, self._locked, self._status = created
            if replaced is not None:
                self._take_after(replaced)

    def _take_after(self, replaced: os.stat_result) -> None:
        """Takes over owner, group, mode, access list and attributes of the replaced file. If
        something cannot be kept, the new file gets fewer rights, never more."""
        file = self._open()
        fresh = self._status
        assert fresh is not None
        mode = stat.S_IMODE(replaced.st_mode)
        if (fresh.st_uid, fresh.st_gid) != (replaced.st_uid, replaced.st_gid):
            mode = _take_owner(file, fresh, replaced)
        if not _copy_attributes(self._destination, file):
            # A user whom the list kept out must not get in by the mode, which was its mask.
            mode &= 0o7700
        os.fchmod(file, mode)

    def _failed_rename(self, temporary: str, cause: OSError) -> Exception:
        """The error for a rename that failed. The rename may have taken place, because a network
        can lose the answer. In that case the message must not say that the old file is untouched.
        The identities of the files decide."""
        status = self._status
        assert status is not None
        try:
            is_there = is_file_at(self._destination, status)
            is_still_temporary = is_file_at(temporary, status)
            there = _lstat_if_any(self._destination)
        except OSError:
            # If the files cannot be examined, the error stands as it is.
            return cause
        if not is_there:
            if is_still_temporary:
                return cause
            replaced = self._replaced
            if there is None or (replaced is not None and os.path.samestat(there, replaced)):
                reason = (
                    "the temporary file or its folder was removed or moved during the save"
                )
                return OSError(cause.errno, f"{_reason(cause)}; {reason}")
        self._committed = True
        where = (
            "the new checkpoint is in place, although the system reported an error: a power "
            "cut may bring back what was there before"
            if is_there
            else "the temporary file is gone, and another file has replaced the old one: it "
            "is uncertain whether the new checkpoint was there in between"
        )
        return CheckpointError("CKPT_NOT_DURABLE", f"{where} ({_reason(cause)})")

    def _sync_folder(self) -> str:
        folder = self._folder
        if folder is None:
            return "file-only"
        try:
            os.fsync(folder)
            # XFS that shut itself down reports success for the sync of a folder and does nothing.
            # For this call it returns EIO.
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
    """Runs a step before the commit. An error of the step becomes CKPT_NOT_COMMITTED."""
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
    """Follows symbolic links to the file that they name, which need not exist. ``path`` is
    absolute. As for the system, ``..`` in it and in links is the folder above the one that the
    preceding name leads to."""
    current = path
    for _ in range(_MAX_LINKS + 1):
        if current.endswith("/"):
            raise OSError("the path names a folder")
        folder = os.path.realpath(os.path.dirname(current))
        real = os.path.join(folder, os.path.basename(current))
        status = _lstat_if_any(real)
        if status is None or not stat.S_ISLNK(status.st_mode):
            return real
        current = os.path.join(folder, os.readlink(real))
    raise OSError(errno.ELOOP, "the symbolic links form a circle")


def _lstat_if_any(path: str) -> Optional[os.stat_result]:
    """The status of what is at a path, or None if nothing is there. Does not follow a link."""
    try:
        return os.lstat(path)
    except FileNotFoundError:
        return None


def _existing(path: str) -> Optional[os.stat_result]:
    """The status of the file that the commit replaces, or None if there is none."""
    status = _lstat_if_any(path)
    if status is not None and not stat.S_ISREG(status.st_mode):
        folder = stat.S_ISDIR(status.st_mode)
        raise OSError("the path is a folder" if folder else "the path is a device, pipe or socket")
    return status


def _take_owner(file: int, fresh: os.stat_result, replaced: os.stat_result) -> int:
    """Changes owner and group as far as possible. Returns the mode that is safe with the result."""
    mode = stat.S_IMODE(replaced.st_mode)
    try:
        os.fchown(file, replaced.st_uid, replaced.st_gid)
        return mode
    except OSError:
        # Only root may give files away. But the group may be one of this user's own.
        pass
    if fresh.st_uid != replaced.st_uid:
        mode &= ~stat.S_ISUID
    if fresh.st_gid == replaced.st_gid:
        return mode
    with contextlib.suppress(OSError):
        os.fchown(file, -1, replaced.st_gid)
        return mode
    # The mode's group bits were meant for the other group, so this group gets none of them.
    return mode & ~(stat.S_ISGID | stat.S_IRWXG)


_ACCESS_LIST = "system.posix_acl_access"


def _copy_attributes(path: str, file: int) -> bool:
    """Gives an open file the attributes (``user.…``) and the access list of the file at a path.
    Returns whether both have the same list, or neither has one."""
    if not hasattr(os, "listxattr"):
        # On other systems than Linux the mode means the same with a list and without.
        return True
    try:
        names = os.listxattr(path, follow_symlinks=False)
    except OSError as error:
        return error.errno == errno.ENOTSUP
    for name in names:
        if name.startswith("user."):
            with contextlib.suppress(OSError):
                os.setxattr(file, name, os.getxattr(path, name, follow_symlinks=False))
    try:
        if _ACCESS_LIST in names:
            value = os.getxattr(path, _ACCESS_LIST, follow_symlinks=False)
            os.setxattr(file, _ACCESS_LIST, value)
        else:
            # The file must not keep the list that its folder gives to new files.
            os.removexattr(file, _ACCESS_LIST)
        return True
    except OSError as error:
        return _ACCESS_LIST not in names and error.errno in (errno.ENODATA, errno.ENOTSUP)


def _make_folder(path: str) -> None:
    """Creates a folder and those above it, unless they exist. Each name is synced in the folder
    above."""
    if os.path.exists(path):
        # Its creator may be about to sync its name, may have failed to, or may have been killed
        # before.
        _sync_names(os.path.dirname(os.path.realpath(path)), may_be_closed=True)
        return
    parent = os.path.dirname(path)
    _make_folder(parent)
    with contextlib.suppress(FileExistsError):
        # Another process may have created it in the meantime.
        os.mkdir(path)
    _sync_names(parent)


def _sync_names(path: str, may_be_closed: bool = False) -> None:
    """Syncs a folder, if the system can. This process may be unable to open a folder of another
    user."""
    try:
        folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except PermissionError:
        if may_be_closed:
            return
        raise
    try:
        os.fsync(folder)
    except OSError as error:
        # If the system cannot sync folders, the commit finds that too, and says so.
        if error.errno not in _CANNOT_SYNC:
            raise
    finally:
        os.close(folder)
