import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { loadPytorch } from '../../src/exchange/node/pytorch.js'
import { loadCheckpoint, saveCheckpoint } from '../../src/index.js'
import { runTorch, torch } from '../support/exchange/torch-python.js'
import { requires } from '../support/requires.js'
import { scratchFolder } from '../support/scratch.js'

/** What PyTorch reads of a tensor. */
interface Described {
  readonly dtype: string
  readonly shape: readonly number[]
  /** Hexadecimal. */
  readonly bytes: string
}

/** Where a tensor of a file goes, by its path in the file. */
function place(path: string): string {
  const [, key, index] = /^(?:model_state_dict|state_dict)\.(.*)$/.exec(path) ?? []
  if (key !== undefined && index === undefined) return `model ${key}`
  const [, number, buffer] = /(?:^|\.)state\.(\d+)\.(\w+)$/.exec(path) ?? []
  if (number !== undefined) return `optimizer ${buffer}/${number}`
  return path === 'rng' ? 'other rng' : `model ${path === '' ? 'tensor' : path}`
}

requires(test, torch)(
  'every dtype and layout that PyTorch writes is read as PyTorch reads it',
  async (t) => {
    t.timeout(300_000)
    const folder = await scratchFolder(t)
    t.log(`PyTorch ${(await runTorch('torch_corpus.py', folder)).trim()}`)
    const names = (await readdir(folder)).filter((name) => name.endsWith('.json'))
    t.true(names.length > 50)
    for (const name of names) {
      const expected: { readonly [path: string]: Described } = JSON.parse(
        await readFile(join(folder, name), 'utf8'),
      )
      const file = await loadPytorch(join(folder, name.replace(/json$/, 'pt')))
      // An optimizer that was made with names is read by them.
      const first = file.optimizer?.attributes.param_groups as
        | readonly { readonly param_names?: readonly string[] }[]
        | undefined
      const parameters = first?.[0]?.param_names
      const found = new Map<string, Described>()
      const states = [['model', file.model], ['optimizer', file.optimizer], ...file.extras] as const
      for (const [state, tensors] of states) {
        for (const [key, tensor] of tensors ?? []) {
          const data = await tensor.read()
          const bytes = Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString('hex')
          found.set(`${state} ${key}`, { dtype: tensor.dtype, shape: tensor.shape, bytes })
        }
      }
      const wanted = Object.entries(expected).map(([path, tensor]) => {
        const at = place(path).replace(/\/(\d+)$/, (all, i) =>
          parameters ? `/${parameters[i]}` : all,
        )
        return [at, tensor] as const
      })
      t.deepEqual(new Map([...found].sort()), new Map(wanted.sort()), name)
      file.close()
    }
    for (const [name, message] of [
      ['quantized', /"w" is a quantized tensor/],
      ['sparse', /"w" is a sparse tensor/],
      ['conj', /conj/],
      ['meta', /without data/],
      ['complex32', /"w" is complex32/],
      ['script', /TorchScript/],
    ] as const) {
      const error = { code: 'CKPT_NOT_CONVERTIBLE', message }
      await t.throwsAsync(loadPytorch(join(folder, `refused-${name}.pt`)), error, name)
    }
    await t.throwsAsync(loadPytorch(join(folder, 'refused-module.pt')), {
      code: 'CKPT_FOREIGN_FILE',
      message: /__main__\.Net/,
    })
  },
)

requires(test, torch)(
  'a run with AdamW goes to TypeScript and back into PyTorch, and ends as if it had not',
  async (t) => {
    t.timeout(300_000)
    const folder = await scratchFolder(t)
    await runTorch('torch_training.py', 'begin', folder)
    const file = await loadPytorch(join(folder, 'half.pt'))
    t.deepEqual(file.progress, { epoch: 1, step: 5 })
    const path = join(folder, 'resumed.ckpt')
    const stateful = (state: typeof file.model) => ({ stateDict: () => state })
    await saveCheckpoint(path, stateful(file.model), stateful(file.optimizer!), file.progress)
    file.close()
    const checkpoint = await loadCheckpoint(path)
    await adamw(checkpoint)
    t.is((await runTorch('torch_training.py', 'resume', folder)).trim(), 'identical')

    /** That what was saved is what a trainer in TypeScript takes: names, groups and moments. */
    async function adamw({ model, optimizer }: typeof checkpoint): Promise<void> {
      const groups = optimizer!.attributes.param_groups as readonly { readonly params: string[] }[]
      const names = groups.flatMap(({ params }) => params)
      t.deepEqual(
        [...names].sort(),
        [...model.keys()].filter((name) => name !== 'head.weight').sort(),
      )
      for (const name of names) {
        for (const moment of ['exp_avg', 'exp_avg_sq']) {
          t.deepEqual(optimizer!.get(`${moment}/${name}`).shape, model.get(name).shape)
        }
        t.is(optimizer!.get(`step/${name}`).data[0], 5)
      }
      t.is(model.get('head.weight').segment(), model.get('embed.weight').segment())
      checkpoint.close()
    }
  },
)
