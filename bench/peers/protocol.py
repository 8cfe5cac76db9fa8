"""The other end of contender.ts: one JSON object a line in, one out. Shared by the Python contenders.

A call is a function of this process that takes the request's arguments and returns a JSON value; `timed`
measures. With `peak` in a request, the reply says how much memory the call took at most (Linux).
"""

import json
import os
import sys
import time


def fsync_path(path):
    """Syncs a file or a folder."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_saved(path):
    """What makes a file that was written by somebody else durable: the file, then its folder."""
    if os.path.isdir(path):
        for name in os.listdir(path):
            fsync_path(os.path.join(path, name))
        fsync_path(path)
    else:
        fsync_path(path)
    fsync_path(os.path.dirname(path))


def timed(run):
    """Seconds that a function takes, and what it returned."""
    start = time.perf_counter()
    value = run()
    return time.perf_counter() - start, value


def status(field):
    """A figure of /proc/self/status in bytes, 0 where there is none."""
    try:
        with open("/proc/self/status") as file:
            for line in file:
                if line.startswith(field + ":"):
                    return int(line.split()[1]) * 1024
    except OSError:
        pass
    return 0


def reset_peak():
    try:
        with open("/proc/self/clear_refs", "w") as file:
            file.write("5")
    except OSError:
        pass


def serve(calls):
    # What a library prints must not come between the replies.
    replies = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    for line in sys.stdin:
        request = json.loads(line)
        reply = {"id": request["id"]}
        try:
            before = None
            if request.get("peak"):
                reset_peak()
                before = status("VmRSS")
            reply["value"] = calls[request["call"]](**request.get("args", {}))
            if before is not None:
                reply["peak"] = {"before": before, "highest": status("VmHWM")}
        except Exception as error:  # The benchmark goes on with the others.
            reply["error"] = f"{type(error).__name__}: {error}"
        replies.write(json.dumps(reply) + "\n")
        replies.flush()
