"""A training with AdamW, in two halves: `begin FOLDER` trains five steps and saves them with torch.save(), and goes on
for five more; `resume FOLDER` goes on from `resumed.ckpt`, which TypeScript wrote, and compares."""

import sys
from pathlib import Path

import torch
from torch import nn

task, folder = sys.argv[1], Path(sys.argv[2])


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(11, 6)
        self.norm = nn.LayerNorm(6)
        self.body = nn.Linear(6, 6)
        self.head = nn.Linear(6, 11, bias=False)
        self.head.weight = self.embed.weight

    def forward(self, x):
        return self.head(torch.tanh(self.body(self.norm(self.embed(x)))))


def training():
    torch.manual_seed(3)
    torch.set_num_threads(1)
    model = Net()
    decayed = [(n, p) for n, p in model.named_parameters() if p.ndim > 1]
    others = [(n, p) for n, p in model.named_parameters() if p.ndim <= 1]
    optimizer = torch.optim.AdamW(
        [{"params": decayed, "weight_decay": 0.1}, {"params": others, "weight_decay": 0.0}], lr=0.01
    )
    return model, optimizer


def steps(model, optimizer, start, end):
    for step in range(start, end):
        optimizer.zero_grad()
        x = (torch.arange(8) * (step + 1)) % 11
        nn.functional.cross_entropy(model(x), (x + 1) % 11).backward()
        optimizer.step()


model, optimizer = training()
if task == "begin":
    steps(model, optimizer, 0, 5)
    torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict(), "epoch": 1, "step": 5}, folder / "half.pt")
    steps(model, optimizer, 5, 10)
    torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict()}, folder / "whole.pt")
else:
    import lightwatch_checkpoint as lw
    from lightwatch_checkpoint.torch import load_optimizer_state, state_dict

    with lw.load(folder / "resumed.ckpt") as checkpoint:
        start = int(checkpoint.step)
        model.load_state_dict({name: tensor.clone() for name, tensor in state_dict(checkpoint.model).items()})
        load_optimizer_state(model, optimizer, checkpoint.optimizer)
    steps(model, optimizer, start, 10)
    whole = torch.load(folder / "whole.pt")
    for name, tensor in model.state_dict().items():
        if not torch.equal(tensor, whole["model"][name]):
            sys.exit(f"{name} differs")
    ours, theirs = optimizer.state_dict(), whole["optimizer"]
    for index, entries in theirs["state"].items():
        for key, value in entries.items():
            if not torch.equal(value, ours["state"][index][key]):
                sys.exit(f"{key} of {index} differs")
    for a, b in zip(ours["param_groups"], theirs["param_groups"]):
        for key in b:
            if a[key] != b[key]:
                sys.exit(f"the group's {key} is {a[key]!r}, and should be {b[key]!r}")
    print("identical")
