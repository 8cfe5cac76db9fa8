// Prints some values of the checkpoint that test_typescript.py has saved.

import { loadCheckpoint } from '../../../../src/index.js'

await using checkpoint = await loadCheckpoint(process.argv[2] as string)
await checkpoint.verify()
const { epoch, step, loss, config, model, optimizer } = checkpoint
console.log(
  JSON.stringify({
    epoch,
    step,
    loss,
    config,
    lr: optimizer?.attributes.lr,
    big: String(optimizer?.attributes.big),
    w: Array.from(model.get('w').data as Float32Array),
    shape: model.get('w').shape,
    bf16: Array.from(model.get('bf16').data as Uint16Array),
  }),
)
