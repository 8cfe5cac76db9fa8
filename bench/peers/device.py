"""Raw probes: what the device and the memory give to the plainest program. Needs Python alone.

`save` writes as many bytes as the state has. `buffered`: through the page cache in 8 MiB calls, with a
sync of file and folder. `early`: the same, and the system is told after each call to begin writing.
`direct`: past the page cache (O_DIRECT), by two threads, each with an aligned buffer of 8 MiB that it
fills from the state and writes, so that one copies while the other waits for the device.
"""

import ctypes
import mmap
import os
import threading

import protocol

PIECE = 8 * 1024 * 1024
BLOCK = 4096
SYNC_FILE_RANGE_WRITE = 2

libc = ctypes.CDLL(None, use_errno=True)

source = None
target = None


def load(length):
    """Memory of `length` bytes that no compression makes smaller, all of it touched."""
    global source, target
    source = memoryview(mmap.mmap(-1, max(length, BLOCK)))[:length]
    target = None
    noise = os.urandom(min(PIECE, length))
    for start in range(0, length, PIECE):
        end = min(start + PIECE, length)
        source[start:end] = noise[: end - start]
    return length


def write_all(descriptor, view, position):
    while view:
        count = os.pwrite(descriptor, view, position)
        view = view[count:]
        position += count


def buffered(path, durable, early=False):
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
    try:
        for start in range(0, len(source), PIECE):
            piece = source[start : start + PIECE]
            write_all(descriptor, piece, start)
            if early:
                begin_write_out(descriptor, start, len(piece))
        if durable:
            os.fsync(descriptor)
    finally:
        os.close(descriptor)
    if durable:
        protocol.fsync_path(os.path.dirname(path))


def early(path, durable):
    buffered(path, durable, early=True)


def begin_write_out(descriptor, start, length):
    """Has the system begin to write a range (Linux), without waiting for it."""
    arguments = (ctypes.c_long(start), ctypes.c_long(length), SYNC_FILE_RANGE_WRITE)
    if libc.sync_file_range(descriptor, *arguments) != 0:
        raise OSError(ctypes.get_errno(), "sync_file_range")


def direct(path, durable):
    length = len(source)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_DIRECT, 0o644)
    failures = []

    def run(first):
        try:
            buffer = memoryview(mmap.mmap(-1, PIECE))
            for start in range(first * PIECE, length, 2 * PIECE):
                count = min(PIECE, length - start)
                buffer[:count] = source[start : start + count]
                write_all(descriptor, buffer[: -(-count // BLOCK) * BLOCK], start)
        except OSError as error:
            failures.append(error)

    try:
        threads = [threading.Thread(target=run, args=(first,)) for first in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if failures:
            raise failures[0]
        os.ftruncate(descriptor, length)
        if durable:
            os.fsync(descriptor)
    finally:
        os.close(descriptor)
    if durable:
        protocol.fsync_path(os.path.dirname(path))


def save(path, durable, how):
    run = {"buffered": buffered, "early": early, "direct": direct}[how]
    return protocol.timed(lambda: run(path, durable))[0]


def copy():
    """One copy of the memory into memory that has been touched before."""
    global target
    if target is None:
        target = memoryview(mmap.mmap(-1, max(len(source), BLOCK)))[: len(source)]
        target[:] = source

    def run():
        target[:] = source

    return protocol.timed(run)[0]


protocol.serve({"load": load, "save": save, "copy": copy})
