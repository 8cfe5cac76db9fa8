"""A file that is open for reading, through one descriptor, so that a file renamed over it does not
matter. It is mapped on request."""

from __future__ import annotations

import errno
import mmap
import os
import stat
from typing import Any, Optional, Union

from .error import CheckpointError

# Most bytes that one call asks for; Linux stops at 2 GiB.
_MAX_READ = 256 * 1024 * 1024

# A private map that may be written to, without a reservation of memory for all of it. Writes never
# reach the file; a written page becomes the process's own.
_NO_RESERVE = getattr(mmap, "MAP_NORESERVE", 0)


class Source:
    """An open regular file. ``size`` is its length in bytes at the time it was opened."""

    def __init__(self, path: Union[str, bytes, "os.PathLike[Any]"]) -> None:
        """Raises CKPT_READ if the file cannot be opened, or is a folder, FIFO, socket or device. A
        FIFO without a writer does not block."""
        self._fd = -1
        self._map: Optional[mmap.mmap] = None
        try:
            # O_NONBLOCK keeps the open of a FIFO from waiting for a writer.
            self._fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
            self._stat = os.fstat(self._fd)
        except (OSError, ValueError) as cause:
            self.close()
            raise _read_error(cause, "could not be opened") from cause
        if not stat.S_ISREG(self._stat.st_mode):
            self.close()
            folder = stat.S_ISDIR(self._stat.st_mode)
            what = "a folder" if folder else "a device, pipe or socket"
            raise CheckpointError("CKPT_READ", f"expected a file, found {what}")
        self.size = self._stat.st_size

    @property
    def closed(self) -> bool:
        """Whether ``close`` has been called."""
        return self._fd < 0

    def read(self, position: int, length: int) -> bytes:
        """``length`` bytes from ``position`` on."""
        data = bytearray(length)
        self.read_into(position, memoryview(data))
        return bytes(data)

    def read_into(self, position: int, target: memoryview) -> None:
        """Fills ``target``, a view of bytes. Raises CKPT_FILE_CHANGED if the file ends earlier."""
        done = 0
        while done < len(target):
            self.check_open()
            try:
                count = os.preadv(self._fd, [target[done : done + _MAX_READ]], position + done)
            except OSError as cause:
                raise _read_error(cause, "could not be read") from cause
            if count == 0:
                raise CheckpointError(
                    "CKPT_FILE_CHANGED",
                    f"the file was truncated to {position + done} bytes while it was being read",
                    offset=position + done,
                )
            done += count

    def map(self) -> None:
        """Maps the file. If the system cannot, the file is read instead."""
        try:
            self._map = mmap.mmap(
                self._fd,
                self.size,
                flags=mmap.MAP_PRIVATE | _NO_RESERVE,
                prot=mmap.PROT_READ | mmap.PROT_WRITE,
            )
        except ValueError as cause:
            raise CheckpointError(
                "CKPT_FILE_CHANGED", "the file was truncated while it was being opened"
            ) from cause
        except OSError as cause:
            # This file system has no memory maps, or there is no room for one.
            if cause.errno not in (errno.ENODEV, errno.ENOMEM, errno.EINVAL, errno.ENOSYS):
                raise _read_error(cause, "could not be mapped") from cause

    @property
    def mapping(self) -> Optional[mmap.mmap]:
        """The map, or None if the file is read."""
        return self._map

    def check_unchanged(self) -> None:
        """Raises CKPT_FILE_CHANGED if the file was written to since it was opened."""
        self.check_open()
        now = os.fstat(self._fd)
        if (now.st_size, now.st_mtime_ns) != (self._stat.st_size, self._stat.st_mtime_ns):
            raise CheckpointError(
                "CKPT_FILE_CHANGED", "the file was changed while it was being read"
            )

    def check_open(self) -> None:
        """Raises CKPT_CLOSED after ``close``."""
        if self._fd < 0:
            raise CheckpointError("CKPT_CLOSED", "the checkpoint is closed")

    def close(self) -> None:
        """Releases the file. The map is released with the last array over it."""
        fd, self._fd = self._fd, -1
        self._map = None
        if fd >= 0:
            os.close(fd)

    def __del__(self) -> None:
        self.close()


def _read_error(cause: Exception, what: str) -> CheckpointError:
    reason = getattr(cause, "strerror", None) or str(cause)
    return CheckpointError("CKPT_READ", f"the file {what}: {reason}")
