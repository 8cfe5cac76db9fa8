"""The temporary files of commits: how they are called, and which of them nobody needs any more. A
process that is killed during a save leaves one behind; the next save into the same folder removes it,
as it is as large as a checkpoint.

A name tells the file that it is for, the machine and the process that it is of, and has 64 random
bits: ``.step-1000.ckpt.5f0c2a91.4711.9d3b7e66c0a1f824.tmp``. The TypeScript library calls its own
the same way, so each cleans up after the other.
"""

from __future__ import annotations

import functools
import hashlib
import os
import re
import secrets
import socket
import time

# The longest name that ext4, XFS and APFS take, in bytes.
_MAX_NAME_BYTES = 255

_PATTERN = re.compile(r"\..+\.([0-9a-f]{8})\.([1-9][0-9]{0,9})\.[0-9a-f]{16}\.tmp", re.DOTALL)

# A file of a process of another machine, or of this one before it was started again, cannot be asked
# after; it goes when it has not been written to for as long as no save takes, in seconds.
_FOREIGN_AGE = 24 * 60 * 60


def temporary_name(name: str) -> str:
    """A new name for a temporary file beside the file ``name``; at most 255 bytes."""
    suffix = f".{_machine()}.{os.getpid()}.{secrets.token_hex(8)}.tmp"
    while len(os.fsencode(f".{name}{suffix}")) > _MAX_NAME_BYTES:
        name = name[:-1]
    return f".{name}{suffix}"


def sweep_temporary_files(folder: str) -> None:
    """Removes the temporary files in a folder that their processes have left behind. Those of living
    processes stay, and so does every file that is not called like one of ours. Never raises: this is
    tidying."""
    try:
        names = os.listdir(folder)
    except OSError:
        return
    for name in names:
        match = _PATTERN.fullmatch(name)
        if match is None:
            continue
        path = os.path.join(folder, name)
        try:
            if match[1] == _machine():
                left = not _is_alive(int(match[2]))
            else:
                left = time.time() - os.lstat(path).st_mtime > _FOREIGN_AGE
            if left:
                os.unlink(path)
        except OSError:
            # Gone already, or not ours to remove.
            pass


def _is_alive(pid: int) -> bool:
    """Whether a process of that number runs here, be it ours or another's."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True
    return True


@functools.lru_cache(maxsize=None)
def _machine() -> str:
    """Eight hexadecimal digits for the machine since it was started, and the process namespace (a
    container): where two of them are the same, a process number means the same process."""
    parts = [socket.gethostname(), "", ""]
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="utf-8") as file:
            parts[1] = file.read()
    except OSError:
        pass
    try:
        parts[2] = os.readlink("/proc/self/ns/pid")
    except OSError:
        pass
    return hashlib.sha256("\n".join(parts).encode("utf-8", "surrogateescape")).hexdigest()[:8]
