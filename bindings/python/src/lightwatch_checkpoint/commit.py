"""The commit of a file, atomic and durable: whoever opens the path finds the whole old file or the
whole new one, at every instant, and after a power cut at any instant; and once ``commit`` has
returned, the new one.

  1. Missing folders are created, and each one's name synced in the folder above; so is that of the
     lowest one that was there. The destination is resolved: a symbolic link is followed and stays.
  2. The temporary files that dead savers have left in the same folder are removed. One is created
     there, exclusively and under an unpredictable name, and locked: as long as the lock is held, no
     other saver takes it for a leftover. It takes the mode, the owner and the access list of the file
     that it is to replace.
  3. All bytes are written; a short write is gone on with, and the length is checked.
  4. The file is synced. A sync that fails is not tried again: after an error the system may have
     dropped the pages and call the next one a success.
  5. The file is renamed over the destination and then closed, which ends its lock; the folder, opened
     beforehand, is synced.

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
from .temporary_file import create_temporary_file, is_file_at, sweep_temporary_files

# Most bytes handed to one write call; the system stops at 2 GiB.
_MAX_WRITE = 64 * 1024 * 1024

# What a file system answers that cannot sync folders.
_CANNOT_SYNC = (errno.EINVAL, errno.ENOTSUP, errno.ENOSYS, errno.EPERM)

# Symbolic links that point to one another, at most; Linux's own limit.
_MAX_LINKS = 40


class FileCommit:
    """One file on its way to ``path``; it will have ``length`` bytes. Raises CKPT_NOT_COMMITTED
    from every step before the rename; call ``abort`` then."""

    def __init__(self, path: str, length: int) -> None:
        self._length = length
        self._file: Optional[int] = None
        self._folder: Optional[int] = None
        self._temporary: Optional[str] = None
        #: Of the temporary file as it was created, and of the file that it is to replace.
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
        file = self._open()
        with _step("commit"):
            # What was synced has no errors left to tell of when it is closed, and a lock is to last
            # as long as the name of one that is locked.
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
            # `..` stays: behind a link it is the folder above the one that the link leads to.
            if not os.path.isabs(path):
                path = os.path.join(os.getcwd(), path)
            _make_folder(os.path.dirname(path))
            self._destination = _resolve_links(path)
        with _step("examine"):
            replaced = self._replaced = _existing(self._destination)
        with _step("create a temporary file beside"):
            folder, name = os.path.split(self._destination)
            # Opened before the commit, so that a lack of descriptors or of rights shows in time.
            self._folder = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            # First: on a full disk it may be what makes room.
            sweep_temporary_files(folder)
            created = create_temporary_file(folder, name, 0o666 if replaced is None else 0o600)
            self._temporary, self._file, self._locked, self._status = created
            if replaced is not None:
                self._take_after(replaced)

    def _take_after(self, replaced: os.stat_result) -> None:
        """Takes the owner, the group, the mode, the access list and the attributes of the file that is
        to be replaced. What cannot be kept never makes the new file wider."""
        file = self._open()
        fresh = self._status
        assert fresh is not None
        mode = stat.S_IMODE(replaced.st_mode)
        if (fresh.st_uid, fresh.st_gid) != (replaced.st_uid, replaced.st_gid):
            mode = _take_owner(file, fresh, replaced)
        if not _copy_attributes(self._destination, file):
            # Whom the list kept out must not get in by the mode that was its mask.
            mode &= 0o7700
        os.fchmod(file, mode)

    def _failed_rename(self, temporary: str, cause: OSError) -> Exception:
        """The error to raise for a rename that failed. It may have taken place: over a network the
        answer can be lost. Then nobody may be told that the old file is untouched. Which file is
        where tells."""
        status = self._status
        assert status is not None
        try:
            is_there = is_file_at(self._destination, status)
            is_still_temporary = is_file_at(temporary, status)
            there = _lstat_if_any(self._destination)
        except OSError:
            # It cannot be looked at: nothing speaks against the error.
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
            "the new checkpoint is in place, though the system reported an error for that: a power "
            "cut may bring back what was there before"
            if is_there
            else "the temporary file is gone, and another file has taken the place of the old one: it "
            "is uncertain whether the new checkpoint was there in between"
        )
        return CheckpointError("CKPT_NOT_DURABLE", f"{where} ({_reason(cause)})")

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
    """Follows symbolic links to the file that they name, which need not exist. ``path`` is absolute;
    ``..`` in it, and in a link, is the folder above the one that the name before it leads to."""
    current = path
    for _ in range(_MAX_LINKS + 1):
        if current.endswith("/"):
            raise OSError("it names a folder")
        folder = os.path.realpath(os.path.dirname(current))
        real = os.path.join(folder, os.path.basename(current))
        status = _lstat_if_any(real)
        if status is None or not stat.S_ISLNK(status.st_mode):
            return real
        current = os.path.join(folder, os.readlink(real))
    raise OSError(errno.ELOOP, "the symbolic links go round in a circle")


def _lstat_if_any(path: str) -> Optional[os.stat_result]:
    """What is at a path, or None where nothing is. Does not follow a link."""
    try:
        return os.lstat(path)
    except FileNotFoundError:
        return None


def _existing(path: str) -> Optional[os.stat_result]:
    """The file that is to be replaced, or None where there is none."""
    status = _lstat_if_any(path)
    if status is not None and not stat.S_ISREG(status.st_mode):
        folder = stat.S_ISDIR(status.st_mode)
        raise OSError("it is a folder" if folder else "it is a device, pipe or socket")
    return status


def _take_owner(file: int, fresh: os.stat_result, replaced: os.stat_result) -> int:
    """Returns the mode for the owner and the group that the file then has."""
    mode = stat.S_IMODE(replaced.st_mode)
    try:
        os.fchown(file, replaced.st_uid, replaced.st_gid)
        return mode
    except OSError:
        # Only root may give files away. The group may be one of our own.
        pass
    if fresh.st_uid != replaced.st_uid:
        mode &= ~stat.S_ISUID
    if fresh.st_gid == replaced.st_gid:
        return mode
    with contextlib.suppress(OSError):
        os.fchown(file, -1, replaced.st_gid)
        return mode
    # Nobody of our own group gets in by the mode that was meant for the other one.
    return mode & ~(stat.S_ISGID | stat.S_IRWXG)


_ACCESS_LIST = "system.posix_acl_access"


def _copy_attributes(path: str, file: int) -> bool:
    """Gives an open file the attributes (``user.…``) and the access list of the one at a path. Returns
    whether it has the same list, or neither has one."""
    if not hasattr(os, "listxattr"):
        # Elsewhere than on Linux the mode means the same with a list and without.
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
            # It is not to have the one that its folder gives to new files.
            os.removexattr(file, _ACCESS_LIST)
        return True
    except OSError as error:
        return _ACCESS_LIST not in names and error.errno in (errno.ENODATA, errno.ENOTSUP)


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
