"""The examples of the README do what they say."""

import pathlib
import re

import numpy as np
import pytest

README = (pathlib.Path(__file__).parents[1] / "README.md").read_text("utf-8")
EXAMPLES = re.findall(r"```python\n(.*?)```", README, re.DOTALL)


def example(word):
    (found,) = [text for text in EXAMPLES if word in text]
    return found


def test_there_are_no_other_examples():
    assert len(EXAMPLES) == 3


def test_the_quick_start(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    exec(example("import numpy"), {})
    assert capsys.readouterr().out == "1000 0.42 {'lr': 0.1}\n(2, 3) float32\n"


def test_pytorch(tmp_path, monkeypatch):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    monkeypatch.chdir(tmp_path)
    model = torch.nn.Linear(2, 2)
    optimizer = torch.optim.AdamW(model.parameters())
    model(torch.ones(1, 2)).sum().backward()
    optimizer.step()
    names = {"model": model, "optimizer": optimizer, "step": 1}
    exec(example("optimizer_state"), names)
    assert names["checkpoint"].step == 1
    assert len(optimizer.state) == 2


def test_safetensors(tmp_path, monkeypatch):
    safetensors = pytest.importorskip("safetensors.numpy", reason="safetensors is not installed")
    monkeypatch.chdir(tmp_path)
    safetensors.save_file({"w": np.ones(3)}, "model.safetensors")
    exec(example("safetensors"), {})
    assert safetensors.load_file("again.safetensors")["w"].tolist() == [1, 1, 1]
