"""Writes files of every dtype and layout with PyTorch into a folder, and next to each what PyTorch reads of it: for
every tensor its dtype, shape and bytes (hexadecimal), by its path."""

import json
import sys
from collections import OrderedDict
from pathlib import Path

import torch
from torch import nn

folder = Path(sys.argv[1])
torch.manual_seed(7)

DTYPES = [
    "float64", "float32", "float16", "bfloat16", "float8_e4m3fn", "float8_e5m2", "float8_e4m3fnuz",
    "float8_e5m2fnuz", "float8_e8m0fnu", "float4_e2m1fn_x2", "int64", "int32", "int16", "int8", "uint64", "uint32",
    "uint16", "uint8", "bool", "complex128", "complex64",
]


def described(value, path=""):
    """Tensors of a value by their paths."""
    if isinstance(value, torch.Tensor):
        dense = value.detach().contiguous()
        raw = bytes(dense.view(-1).view(torch.uint8).tolist()) if dense.numel() else b""
        name = str(value.dtype).split(".")[1]
        shape = list(value.shape)
        if name == "float4_e2m1fn_x2":
            name, shape = "float4_e2m1fn", [*shape[:-1], shape[-1] * 2]
        return {path: {"dtype": name, "shape": shape, "bytes": raw.hex()}}
    found = {}
    if isinstance(value, dict):
        for key, item in value.items():
            found.update(described(item, f"{path}.{key}" if path else str(key)))
    elif isinstance(value, (list, tuple)):
        for i, item in enumerate(value):
            found.update(described(item, f"{path}.{i}" if path else str(i)))
    return found


def write(name, value, tensors=None, **options):
    try:
        torch.save(value, folder / f"{name}.pt", **options)
    except Exception as error:  # What a version of PyTorch cannot write.
        print(f"{name}: {error}", file=sys.stderr)
        return
    (folder / f"{name}.json").write_text(json.dumps(described(value if tensors is None else tensors)))


def of(dtype, count):
    torch_dtype = getattr(torch, dtype)
    width = torch.empty(0, dtype=torch_dtype).element_size()
    if dtype == "bool":
        return torch.arange(count) % 3 == 0
    return torch.randint(0, 256, (count * width,), dtype=torch.uint8).view(torch_dtype)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(11, 6)
        self.norm = nn.BatchNorm1d(6)
        self.body = nn.Sequential(nn.Linear(6, 6), nn.GELU(), nn.Linear(6, 6, bias=False))
        self.head = nn.Linear(6, 11, bias=False)
        self.head.weight = self.embed.weight

    def forward(self, x):
        return self.head(self.body(self.norm(self.embed(x))))


for legacy in (False, True):
    kind = {"_use_new_zipfile_serialization": not legacy}
    suffix = "-legacy" if legacy else ""
    for dtype in DTYPES:
        if not hasattr(torch, dtype):
            continue
        write(f"dtype-{dtype}{suffix}", {"w": of(dtype, 24).view(2, 3, 4), "empty": of(dtype, 0)}, **kind)
    base = torch.arange(120, dtype=torch.float32)
    write(f"layouts{suffix}", {
        "dense": base.view(4, 30),
        "transposed": base.view(4, 30).t(),
        "permuted": base.view(2, 3, 20).permute(2, 0, 1),
        "sliced": base.view(4, 30)[1:3, 5:25:3],
        "offset": base[7:19],
        "channels_last": torch.arange(96.0).view(2, 3, 4, 4).to(memory_format=torch.channels_last),
        "expanded": torch.tensor([1.5, 2.5]).expand(3, 2),
        "scalar": torch.tensor(4.25),
        "one": base.view(1, 120, 1),
        "empty": torch.empty(0, 5),
        "half_transposed": base.half().view(10, 12).t(),
        "complex_transposed": torch.arange(12.0).to(torch.complex64).view(3, 4).t(),
    }, **kind)
    model = Net()
    write(f"state-dict{suffix}", model.state_dict(), **kind)
    write(f"parameters{suffix}", OrderedDict(model.named_parameters()), **kind)
    optimizer = torch.optim.AdamW(
        [{"params": model.body.parameters(), "lr": 0.01}, {"params": list(model.norm.parameters()) + [model.embed.weight]}],
        lr=0.001, betas=(0.8, 0.99), amsgrad=True)
    for step in range(3):
        model(torch.arange(11)).square().mean().backward()
        optimizer.step()
    write(f"training{suffix}", {
        "model_state_dict": model.state_dict(), "optimizer_state_dict": optimizer.state_dict(),
        "epoch": 3, "loss": float("nan"), "rng": torch.get_rng_state(), "args": {"lr": 0.1, "layers": (1, 2), "name": "n\u00e9t"},
    }, **kind)

model = Net()
optimizer = torch.optim.SGD(model.named_parameters(), lr=0.1, momentum=0.9)
model(torch.arange(11)).square().mean().backward()
optimizer.step()
scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 10)
write("lightning", {
    "epoch": 2, "global_step": 40, "pytorch-lightning_version": "2.5.0", "state_dict": model.state_dict(),
    "loops": {"fit_loop": {"state_dict": {}, "epoch_progress": {"total": {"ready": 3}}}}, "callbacks": {},
    "optimizer_states": [optimizer.state_dict()], "lr_schedulers": [scheduler.state_dict()],
    "hparams_name": "kwargs", "hyper_parameters": {"lr": 0.1},
})
write("optimizer", optimizer.state_dict())
write("tensor", torch.arange(3))

# What is to be refused by its name.
torch.save({"w": torch.quantize_per_tensor(torch.ones(3), 0.1, 0, torch.qint8)}, folder / "refused-quantized.pt")
torch.save({"w": torch.eye(3).to_sparse()}, folder / "refused-sparse.pt")
torch.save({"w": torch.ones(2, dtype=torch.complex64).conj()}, folder / "refused-conj.pt")
torch.save({"w": torch.ones(2, device="meta")}, folder / "refused-meta.pt")
torch.save(model, folder / "refused-module.pt")
torch.save({"w": torch.ones(2, dtype=torch.complex32)}, folder / "refused-complex32.pt")
torch.serialization.set_crc32_options(False)
write("no-checksums", {"w": torch.arange(5)})
torch.jit.save(torch.jit.trace(nn.Linear(2, 2), torch.ones(1, 2)), str(folder / "refused-script.pt"))
print(torch.__version__)
