"""docs/format.md as a program: a reader of checkpoints, and its reporter, in Python's standard library.

It is there to show that the document and the corpus are enough to write a reader from. So it shares
nothing with any implementation, follows the document step by step, and is in no hurry. What the numbers
of its comments count is the list under "What a reader checks, and in which order".

    python3 test/conformance/document/reader.py < paths
"""

import json
import mmap
import os
import stat
import struct
import sys
import zlib

SAFE = 2**53 - 1
LONG = 2**31 - 1  # A file of this length has no `data` any more.
HEAD = 4096
MOST = 1 << 26  # Bytes that are looked at in one piece.

DTYPES = {
    1: ("float64", 64), 2: ("float32", 32), 3: ("float16", 16), 4: ("bfloat16", 16),
    5: ("float8_e4m3fn", 8), 6: ("float8_e5m2", 8), 7: ("float8_e4m3fnuz", 8),
    8: ("float8_e5m2fnuz", 8), 9: ("float8_e8m0fnu", 8), 10: ("float6_e2m3fn", 6),
    11: ("float6_e3m2fn", 6), 12: ("float4_e2m1fn", 4), 16: ("int8", 8), 17: ("int16", 16),
    18: ("int32", 32), 19: ("int64", 64), 20: ("uint8", 8), 21: ("uint16", 16),
    22: ("uint32", 32), 23: ("uint64", 64), 24: ("bool", 8), 25: ("complex64", 64),
    26: ("complex128", 128), 27: ("int4", 4), 28: ("uint4", 4),
}  # fmt: skip

# The schema: the fields of each table in the order of their slots, and what they hold.
TABLES = {
    "Checkpoint": [
        ("version", "uint32"), ("metadata_length", "uint32"), ("metadata_crc32", "uint32"),
        ("file_length", "uint64"), ("epoch", "int64"), ("step", "int64"), ("loss", "double"),
        ("metrics", ["Metric"]), ("config", "string"), ("model!", "State"), ("optimizer", "State"),
        ("extras", ["State"]), ("sequence", "uint64"), ("saved_at", "uint64"),
    ],
    "Metric": [("name!", "string"), ("value", "double")],
    "State": [
        ("name!", "string"), ("kind", "string"), ("attributes", ["Entry"]), ("tensors!", ["Tensor"]),
    ],
    "Tensor": [
        ("name!", "string"), ("dtype", "uint8"), ("shape!", ["uint64"]), ("offset", "uint64"),
        ("byte_length", "uint64"), ("crc32", "uint32"), ("data", "segment"),
    ],
    "Entry": [("key!", "string"), ("value!", "Value")],
    "Value": [
        ("kind", "uint8"), ("boolean", "bool"), ("integer", "int64"), ("uinteger", "uint64"),
        ("number", "double"), ("text", "string"), ("list", ["Value"]), ("map", ["Entry"]),
    ],
}  # fmt: skip
NUMBERS = {"uint8": "<B", "bool": "<B", "uint32": "<I", "uint64": "<Q", "int64": "<q", "double": "<d"}


class Refused(Exception):
    def __init__(self, code, rule=None):
        super().__init__(code, rule)
        self.code = code
        self.rule = rule


def broken(rule):
    return Refused("CKPT_FORMAT", rule)


def number(buffer, kind, at):
    return struct.unpack_from(NUMBERS[kind], buffer, at)[0]


def uint16(buffer, at):
    return struct.unpack_from("<H", buffer, at)[0]


def int32(buffer, at):
    return struct.unpack_from("<i", buffer, at)[0]


def read_head(head, length):
    """Steps 1 and 2. The length of the metadata, its checksum, and where that stands."""
    if head[4:8] != b"LWCK":
        raise Refused("CKPT_NOT_A_CHECKPOINT")
    if length < 12:
        raise Refused("CKPT_FILE_LENGTH")

    def within(at, size):
        if at < 0 or at + size > len(head):
            raise Refused("CKPT_FILE_LENGTH") if length < HEAD else broken("head")

    root = number(head, "uint32", 0)
    within(root if root >= 8 and root % 4 == 0 else -1, 4)
    vtable = root - int32(head, root)
    within(vtable if vtable >= 8 and vtable % 2 == 0 else -1, 4)
    size = uint16(head, vtable)
    within(vtable, size)

    def field(index, kind):
        slot = 4 + 2 * index
        entry = uint16(head, vtable + slot) if slot + 2 <= size else 0
        width = struct.calcsize(NUMBERS[kind])
        if entry < 4 or (root + entry) % width != 0:
            raise broken("head")
        within(root + entry, width)
        return root + entry

    version = number(head, "uint32", field(0, "uint32"))
    if version > 1:
        raise Refused("CKPT_VERSION")
    if version == 0:
        raise broken("version")
    if number(head, "uint64", field(3, "uint64")) != length:
        raise Refused("CKPT_FILE_LENGTH")
    metadata_length = number(head, "uint32", field(1, "uint32"))
    if not 12 <= metadata_length <= min(length, LONG - 1):
        raise broken("metadata_length")
    crc_at = field(2, "uint32")
    if crc_at + 4 > metadata_length:
        raise broken("metadata_length")
    return metadata_length, number(head, "uint32", crc_at), crc_at


class Verifier:
    """Step 5: the structure of the metadata. The values are read on the way, into plain dicts."""

    def __init__(self, buffer):
        self.buffer = buffer
        self.length = len(buffer)
        self.budget = 4 * self.length + 65_536
        self.depth = 0

    def root(self):
        return self.table(self.offset(0), "Checkpoint")

    def refuse(self, rule):
        return Refused("CKPT_FLATBUFFER", "flatbuffer." + rule)

    def check(self, size, at, align=1):
        if at % align != 0:
            raise self.refuse("alignment")
        if not (at >= 0 and size < self.length and at <= self.length - size):
            raise self.refuse("range")
        self.budget -= size
        if self.budget < 0:
            raise self.refuse("budget")

    def offset(self, at):
        self.check(4, at, 4)
        offset = number(self.buffer, "uint32", at)
        if offset == 0 or offset > 2**31 - 1 or at + offset >= self.length:
            raise self.refuse("offset")
        return at + offset

    def table(self, at, name):
        self.check(4, at, 4)
        self.depth += 1
        if self.depth > 64:
            raise self.refuse("depth")
        vtable = at - int32(self.buffer, at)
        self.check(4, vtable, 2)
        vtable_size = uint16(self.buffer, vtable)
        if not 4 <= vtable_size <= 32_767 or vtable_size % 2 != 0:
            raise self.refuse("vtable")
        self.check(vtable_size, vtable)
        size = uint16(self.buffer, vtable + 2)
        if size < 4:
            raise self.refuse("table")
        self.check(size, at)
        found = {}
        for index, (field, kind) in enumerate(TABLES[name]):
            slot = 4 + 2 * index
            entry = uint16(self.buffer, vtable + slot) if slot < vtable_size else 0
            if entry == 0:
                if field.endswith("!"):
                    raise self.refuse("required")
                continue
            width = struct.calcsize(NUMBERS[kind]) if isinstance(kind, str) and kind in NUMBERS else 4
            if not 4 <= entry <= 32_767 or entry + width > size:
                raise self.refuse("field")
            found[field.rstrip("!")] = self.field(at + entry, kind, width)
        self.depth -= 1
        return found

    def field(self, at, kind, width):
        if isinstance(kind, list):
            return self.vector(self.offset(at), kind[0])
        if kind == "string":
            return self.string(self.offset(at))
        if kind == "segment":
            self.check(4, at, 4)
            return at + number(self.buffer, "uint32", at)
        if kind in NUMBERS:
            self.check(width, at, width)
            value = number(self.buffer, kind, at)
            if kind == "bool" and value > 1:
                raise self.refuse("bool")
            return value
        return self.table(self.offset(at), kind)

    def items(self, at, width):
        self.check(4, at, 4)
        count = number(self.buffer, "uint32", at)
        if count * width >= 2**31 - 1:
            raise self.refuse("length")
        self.check(4 + count * width, at)
        return count

    def string(self, at):
        count = self.items(at, 1)
        self.check(1, at + 4 + count)
        if self.buffer[at + 4 + count] != 0:
            raise self.refuse("string")
        return bytes(self.buffer[at + 4 : at + 4 + count])

    def vector(self, at, kind):
        if kind == "uint64":
            count = self.items(at, 8)
            if count > 0 and (at + 4) % 8 != 0:
                raise self.refuse("alignment")
            return list(struct.unpack_from(f"<{count}Q", self.buffer, at + 4))
        count = self.items(at, 4)
        return [self.table(self.offset(at + 4 + 4 * i), kind) for i in range(count)]


def text(data):
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        raise broken("text.utf8") from None


def safe(value):
    if abs(value) > SAFE:
        raise broken("integer.safe")
    return value


def double(value):
    return "nan" if value != value else struct.pack(">d", value).hex()


def in_order(entries):
    return sorted(entries.items(), key=lambda entry: entry[0].encode())


class Values:
    """Step 6: the values one by one."""

    def __init__(self, root):
        self.file_length = safe(root["file_length"])
        self.metrics = {}
        for metric in root.get("metrics", []):
            name = text(metric["name"])
            if "value" not in metric:
                raise broken("metric.value")
            if name in self.metrics:
                raise broken("metric.unique")
            self.metrics[name] = double(metric["value"])
        self.epoch = safe(root.get("epoch", 0))
        self.step = safe(root.get("step", 0))
        self.loss = double(root["loss"]) if "loss" in root else None
        self.config = text(root["config"]) if "config" in root else None
        self.sequence = safe(root["sequence"]) if "sequence" in root else None
        self.saved_at = safe(root["saved_at"]) if "saved_at" in root else None
        self.model = self.state(root["model"])
        self.optimizer = self.state(root["optimizer"]) if "optimizer" in root else None
        self.extras = [self.state(extra) for extra in root.get("extras", [])]

    @property
    def states(self):
        return [self.model, *([self.optimizer] if self.optimizer else []), *self.extras]

    def state(self, table):
        name = text(table["name"])
        attributes = self.entries(table.get("attributes", []))
        tensors = [self.tensor(tensor) for tensor in table["tensors"]]
        kind = text(table["kind"]) if "kind" in table else None
        return {"name": name, "kind": kind, "attributes": attributes, "tensors": tensors}

    def tensor(self, table):
        name = text(table["name"])
        if table.get("dtype", 0) not in DTYPES:
            raise broken("tensor.dtype")
        if len(table["shape"]) > 64:
            raise broken("tensor.rank")
        return {
            "name": name,
            "dtype": DTYPES[table["dtype"]],
            "shape": [safe(length) for length in table["shape"]],
            "offset": safe(table.get("offset", 0)),
            "byte_length": safe(table.get("byte_length", 0)),
            "crc32": table.get("crc32", 0),
            "data": table.get("data"),
        }

    def entries(self, tables):
        found = {}
        for entry in tables:
            key = text(entry["key"])
            if key in found:
                raise broken("attribute.unique")
            found[key] = self.value(entry["value"])
        return in_order(found)

    def value(self, table):
        kind = table.get("kind", 0)
        fields = [field for field in table if field != "kind"]
        wanted = [None, [], ["boolean"], ["integer"], ["integer"], ["uinteger"], ["number"], ["text"],
                  ["list"], ["map"]]  # fmt: skip
        if kind >= len(wanted) or fields != wanted[kind]:
            raise broken("value.kind")
        held = table[fields[0]] if fields else None
        if kind == 2:
            return held == 1
        if kind == 3:
            return {"number": double(float(safe(held)))}
        if kind == 4:
            return {"bigint": str(held)}
        if kind == 5:
            if held < 2**63:
                raise broken("value.kind")
            return {"bigint": str(held)}
        if kind == 6:
            return {"number": double(held)}
        if kind == 7:
            return text(held)
        if kind == 8:
            return [self.value(item) for item in held]
        if kind == 9:
            return {"map": self.entries(held)}
        return None


def is_name(name):
    return 1 <= len(name.encode()) <= 65_535 and "\0" not in name


def taken(dtype, shape):
    """The bytes that a dtype and a shape take, or None."""
    product = 1
    for length in shape:
        if length != 0:
            product *= length
        if product > SAFE:
            return None
    if 0 in shape:
        product = 0
    bits = dtype[1] * product
    unit = bits // 8 if dtype[1] % 8 == 0 else bits
    return None if unit > SAFE or bits % 8 != 0 else bits // 8


def check_together(values, metadata_length):
    """Step 7. The segments in the order of the file: the end of what stands before, and the tensor."""
    if values.model["name"] != "model":
        raise broken("state.name")
    if values.optimizer and values.optimizer["name"] != "optimizer":
        raise broken("state.name")
    names = {"model", "optimizer"}
    for extra in values.extras:
        if extra["name"] in names or not is_name(extra["name"]):
            raise broken("state.name")
        names.add(extra["name"])
    if not all(map(is_name, values.metrics)):
        raise broken("metric.name")

    end = metadata_length
    segments = {}
    for state in values.states:
        names = set()
        for tensor in state["tensors"]:
            if not is_name(tensor["name"]):
                raise broken("tensor.name")
            if tensor["name"] in names:
                raise broken("tensor.unique")
            names.add(tensor["name"])
            if taken(tensor["dtype"], tensor["shape"]) != tensor["byte_length"]:
                raise broken("tensor.byte_length")
            offset = tensor["offset"]
            if offset in segments:
                _, known = segments[offset]
                if any(known[field] != tensor[field] for field in ("byte_length", "crc32")):
                    raise broken("tensor.alias")
            else:
                if offset != (end + 4 + 63) // 64 * 64:
                    raise broken("tensor.offset")
                segments[offset] = (end, tensor)
                end = offset + tensor["byte_length"]
                if end > values.file_length:
                    raise broken("tensor.range")
            if tensor["data"] != (offset - 4 if values.file_length < LONG else None):
                raise broken("tensor.data")
    if end != values.file_length:
        raise broken("file_length")
    return segments.values()


def checksum(file, offset, length):
    crc = 0
    for at in range(offset, offset + length, MOST):
        crc = zlib.crc32(file[at : min(at + MOST, offset + length)], crc)
    return crc


def report(path):
    try:
        # Opening a FIFO would wait for a writer.
        with open(os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0)), "rb") as handle:
            status = os.fstat(handle.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise Refused("CKPT_READ")
            if status.st_size == 0:
                return read(b"", 0)
            with mmap.mmap(handle.fileno(), 0, access=mmap.ACCESS_READ) as file:
                return read(file, status.st_size)
    except OSError:
        return {"error": {"code": "CKPT_READ", "rule": None}}
    except Refused as refused:
        return {"error": {"code": refused.code, "rule": refused.rule}}


def read(file, length):
    metadata_length, crc, crc_at = read_head(file[:HEAD], length)
    metadata = file[:metadata_length]  # Step 3.
    blank = metadata[:crc_at] + bytes(4) + metadata[crc_at + 4 :]
    if zlib.crc32(blank) != crc:
        raise Refused("CKPT_METADATA_CHECKSUM")
    values = Values(Verifier(metadata).root())
    plain = length < LONG
    for end, tensor in check_together(values, metadata_length):  # Step 8.
        gap = bytearray(tensor["offset"] - end)
        if plain:
            struct.pack_into("<I", gap, len(gap) - 4, tensor["byte_length"])
        if file[end : tensor["offset"]] != gap:
            raise broken("gap")
        if checksum(file, tensor["offset"], tensor["byte_length"]) != tensor["crc32"]:
            raise Refused("CKPT_TENSOR_CHECKSUM")
    return {
        "version": 1,
        "metadata_length": metadata_length,
        "file_length": length,
        "epoch": values.epoch,
        "step": values.step,
        "loss": values.loss,
        "metrics": in_order(values.metrics),
        "config": values.config,
        "sequence": values.sequence,
        "saved_at": values.saved_at,
        "states": [
            {**state, "tensors": [report_tensor(file, tensor) for tensor in state["tensors"]]}
            for state in values.states
        ],
    }


def report_tensor(file, tensor):
    offset, length = tensor["offset"], tensor["byte_length"]
    return {
        "name": tensor["name"],
        "dtype": tensor["dtype"][0],
        "shape": list(map(str, tensor["shape"])),
        "offset": str(offset),
        "byte_length": str(length),
        "crc32": f"{checksum(file, offset, length):08x}",
        "bytes": file[offset : offset + length].hex() if length <= 256 else None,
    }


if __name__ == "__main__":
    for line in sys.stdin.buffer:
        print(json.dumps(report(line.rstrip(b"\n").decode())), flush=True)
