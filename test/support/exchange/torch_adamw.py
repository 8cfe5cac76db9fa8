"""A training with AdamW whose gradients are the same bits in any language with float32. `begin FOLDER fused` saves it
with torch.save() after 5, 10 and 15 steps, and prints the kind of SIMD that PyTorch uses; `begin FOLDER loop` does so
with the other implementation of AdamW on CPUs. `resume FOLDER fused` goes on from `resumed.ckpt`, which TypeScript
wrote after step 10, and compares with what PyTorch had after steps 10 and 15."""

import sys
from pathlib import Path

import torch
from torch import nn

task, folder, fused = sys.argv[1], Path(sys.argv[2]), sys.argv[3] == "fused"
# Whole vectors of any processor. For elements after the last whole vector PyTorch has other code, in which its compiler
# fuses the other product of the second moment.
SIZE = 1008


class Scale(nn.Module):
    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.randn(SIZE))
        self.bias = nn.Parameter(torch.randn(SIZE))


class Net(nn.Module):
    """Each element is a chain of its own, so that no sum is made in an order that another language would not know."""

    def __init__(self):
        super().__init__()
        self.first = Scale()
        self.second = Scale()
        self.second.scale = self.first.scale
        self.gain = nn.Parameter(torch.rand(SIZE))

    def forward(self, x):
        hidden = self.first.scale * x + self.first.bias
        return (self.second.scale * hidden + self.second.bias) * self.gain


def training():
    torch.manual_seed(11)
    torch.set_num_threads(1)
    model = Net()
    # Groups without names, as most people make them: PyTorch numbers the parameters.
    decayed = [model.first.scale, model.gain]
    others = [model.first.bias, model.second.bias]
    groups = [{"params": decayed, "weight_decay": 0.1}, {"params": others, "weight_decay": 0.0, "lr": 0.003}]
    return model, torch.optim.AdamW(groups, lr=0.01, betas=(0.9, 0.95), fused=fused)


def steps(model, optimizer, start, end):
    numbers = torch.arange(SIZE)
    for step in range(start, end):
        optimizer.zero_grad()
        x = ((numbers * 7 + step * 3) % 13 - 6).float() / 8
        y = ((numbers * 5 + step) % 17 - 8).float() / 4
        # The gradient of the output is the output less y: no reduction is in it.
        output = model(x)
        output.backward(output.detach() - y)
        optimizer.step()


def save(model, optimizer, step):
    saved = {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "epoch": 1, "step": step}
    torch.save(saved, folder / f"{step}.pt")


def compare(model, optimizer, step):
    whole = torch.load(folder / f"{step}.pt")
    found = [(name, tensor, whole["model"][name]) for name, tensor in model.state_dict().items()]
    state = optimizer.state_dict()
    for index, entries in whole["optimizer"]["state"].items():
        found += [(f"{key} of {index}", state["state"][index][key], value) for key, value in entries.items()]
    for name, ours, theirs in found:
        if ours.numpy().tobytes() != theirs.numpy().tobytes():
            sys.exit(f"{name} differs after step {step}")
    for ours, theirs in zip(state["param_groups"], whole["optimizer"]["param_groups"], strict=True):
        for key in theirs:
            if ours[key] != theirs[key]:
                sys.exit(f"the group's {key} is {ours[key]!r}, and should be {theirs[key]!r}")


model, optimizer = training()
if task == "begin":
    for start in (0, 5, 10):
        steps(model, optimizer, start, start + 5)
        save(model, optimizer, start + 5)
    print(*("first.scale", "gain", "first.bias", "second.bias"), sep="\n", file=open(folder / "names.txt", "w"))
    print(torch.backends.cpu.get_cpu_capability())
else:
    import lightwatch_checkpoint as lw
    from lightwatch_checkpoint.torch import load_optimizer_state, state_dict

    with lw.load(folder / "resumed.ckpt") as checkpoint:
        model.load_state_dict({name: tensor.clone() for name, tensor in state_dict(checkpoint.model).items()})
        load_optimizer_state(model, optimizer, checkpoint.optimizer)
        if model.first.scale is not model.second.scale or checkpoint.step != 10:
            sys.exit("the file is not of step 10, or the model's tie is gone")
    compare(model, optimizer, 10)
    steps(model, optimizer, 10, 15)
    compare(model, optimizer, 15)
    print("identical")
