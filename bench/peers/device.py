"""Raw probes: what the device and the memory give to the plainest program. Needs Python alone.

`save` writes as many bytes as the state has, either through the page cache in 8 MiB calls, with a sync
of file and folder, or past it (O_DIRECT): two threads, each with an aligned buffer of 8 MiB that it fills
from the state and writes, so that one copies while the other waits for the device.
"""

import mmap
import os
import threading

import protocol

PIECE = 8 * 1024 * 1024
BLOCK = 4096

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


def buffered(path, durable):
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
    try:
        for start in range(0, len(source), PIECE):
            write_all(descriptor, source[start : start + PIECE], start)
        if durable:
            os.fsync(descriptor)
    finally:
        os.close(descriptor)
    if durable:
        protocol.fsync_path(os.path.dirname(path))


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
    run = {"buffered": buffered, "direct": direct}[how]
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
