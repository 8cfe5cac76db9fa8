"""One leg of a run that several languages train in turns: ``train.py FROM STEPS TO``. See train.ts."""

import sys

import numpy as np

import lightwatch_checkpoint as lw

INPUTS = 5
STEPS_AN_EPOCH = 16

f32 = np.float32


class Run:
    def __init__(self):
        self.parameters = {"weight": np.zeros((1, INPUTS), f32), "bias": np.zeros(1, f32)}
        self.velocity = {name: np.zeros_like(value) for name, value in self.parameters.items()}
        self.hyper = {"lr": 0.05, "momentum": 0.9}
        self.sampler = 1
        self.step = 0
        self.loss = None

    def restore(self, path):
        with lw.load(path) as checkpoint:
            for name, value in self.parameters.items():
                value[...] = checkpoint.model[name]
                self.velocity[name][...] = checkpoint.optimizer[f"momentum_buffer/{name}"]
            self.hyper = checkpoint.optimizer.attributes
            self.sampler = checkpoint.extras["sampler"].attributes["state"]
            self.step, self.loss = checkpoint.step, checkpoint.loss

    def save(self, path):
        buffers = {f"momentum_buffer/{name}": value for name, value in self.velocity.items()}
        lw.save(
            path,
            lw.State(self.parameters, kind="Linear"),
            lw.State(buffers, kind="SGD", attributes=self.hyper),
            epoch=self.step // STEPS_AN_EPOCH,
            step=self.step,
            loss=self.loss,
            metrics={"loss/train": self.loss},
            config='{"inputs":5,"data":"drawn"}',
            extras={"sampler": lw.State({}, attributes={"state": self.sampler})},
        )

    def draw(self):
        self.sampler = self.sampler * 48271 % 2147483647
        return f32((self.sampler % 2001) / 1024 - 1)

    def train(self):
        inputs = [self.draw() for _ in range(INPUTS)]
        wanted = inputs[0] - inputs[1] * f32(0.5)
        weight, bias = self.parameters["weight"][0], self.parameters["bias"]
        total = bias[0]
        for i, value in enumerate(inputs):
            total = total + weight[i] * value
        error = total - wanted
        for i, value in enumerate(inputs):
            self.update(weight, self.velocity["weight"][0], i, error * value)
        self.update(bias, self.velocity["bias"], 0, error)
        self.loss = float(error * error)
        self.step += 1

    def update(self, values, momentum, i, gradient):
        momentum[i] = f32(self.hyper["momentum"]) * momentum[i] + gradient
        values[i] = values[i] - f32(self.hyper["lr"]) * momentum[i]


source, steps, target = sys.argv[1:]
run = Run()
if source != "-":
    run.restore(source)
for _ in range(int(steps)):
    run.train()
run.save(target)
