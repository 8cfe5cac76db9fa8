"""Saves what checkpoints hold again, by the library for Python: two paths a line on standard input, from and to,
separated by a tab."""

import sys

import lightwatch_checkpoint as lw

for line in sys.stdin:
    source, target = line.rstrip("\n").split("\t")
    with lw.load(source) as checkpoint:
        lw.save(
            target,
            checkpoint.model,
            checkpoint.optimizer,
            epoch=checkpoint.epoch,
            step=checkpoint.step,
            loss=checkpoint.loss,
            metrics=checkpoint.metrics,
            config=checkpoint.config_text,
            extras=checkpoint.extras,
            sequence=checkpoint.sequence,
            saved_at=checkpoint.saved_at,
        )
