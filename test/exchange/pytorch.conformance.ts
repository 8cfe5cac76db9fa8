import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { diffCheckpoints } from '../../src/diff/diff.js'
import { loadPytorch } from '../../src/exchange/node/pytorch.js'
import {
  type Attributes,
  type CheckpointState,
  loadCheckpoint,
  type NamedTensors,
  restoreCheckpoint,
  type Stateful,
  saveCheckpoint,
} from '../../src/index.js'
import { runFake } from '../support/cli/fake-terminal.js'
import { Training } from '../support/exchange/adamw.js'
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

/** A trainer of its own memory, empty as yet, that has what the state has. Ties are kept. */
function trainerOf(state: CheckpointState): Stateful {
  const arrays = new Map<object, Uint8Array>()
  const tensors: NamedTensors = Object.fromEntries(
    Array.from(state, ([name, tensor]) => {
      const data = arrays.get(tensor.segment()) ?? new Uint8Array(tensor.byteLength)
      arrays.set(tensor.segment(), data)
      return [name, { dtype: tensor.dtype, shape: tensor.shape, data }]
    }),
  )
  let attributes: Attributes = {}
  return {
    stateDict: () => ({ tensors, attributes }),
    loadAttributes(saved) {
      attributes = saved
    },
  }
}

requires(test, torch)(
  'a run with AdamW goes to TypeScript and back into PyTorch, and ends as if it had not',
  async (t) => {
    t.timeout(300_000)
    const folder = await scratchFolder(t)
    await runTorch('torch_training.py', 'begin', folder)
    const path = join(folder, 'half.ckpt')
    const { code, err } = await runFake(['convert', join(folder, 'half.pt'), path])
    t.is(code, 0, err)
    const checkpoint = await loadCheckpoint(path)
    t.like(checkpoint, { epoch: 1, step: 5 })
    adamw(checkpoint)
    // Into a trainer's own memory, and from there into a file again.
    const [model, optimizer] = [trainerOf(checkpoint.model), trainerOf(checkpoint.optimizer!)]
    await restoreCheckpoint(checkpoint, model, optimizer)
    const { epoch, step } = checkpoint
    checkpoint.close()
    await saveCheckpoint(join(folder, 'resumed.ckpt'), model, optimizer, { epoch, step })
    t.is((await runTorch('torch_training.py', 'resume', folder)).trim(), 'identical')

    /** That what was saved is what a trainer in TypeScript takes: names, groups and moments. */
    function adamw({ model, optimizer }: typeof checkpoint): void {
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
    }
  },
)

/** Saves a training in PyTorch, takes it into TypeScript after step 5 and trains there to step 10. */
async function trainHere(t: ExecutionContext, folder: string, kind: 'fused' | 'loop') {
  const at = (name: string): string => join(folder, name)
  // Without AVX2, PyTorch's kernels round a product before they add.
  const fusedArithmetic =
    (await runTorch('torch_adamw.py', 'begin', folder, kind)).trim() !== 'DEFAULT'
  for (const step of [5, 10]) {
    const argv = ['convert', at(`${step}.pt`), at(`${step}.ckpt`), '--parameters', at('names.txt')]
    const { code, err } = await runFake(argv)
    t.is(code, 0, err)
  }
  const checkpoint = await loadCheckpoint(at('5.ckpt'))
  const training = new Training(checkpoint.model, checkpoint.optimizer!)
  await restoreCheckpoint(checkpoint, training.model, training.optimizer)
  checkpoint.close()
  training.train(5, 10, fusedArithmetic)
  const progress = { epoch: 1, step: 10 }
  await saveCheckpoint(at('resumed.ckpt'), training.model, training.optimizer, progress)
  return { ours: at('resumed.ckpt'), theirs: at('10.ckpt') }
}

requires(test, torch)(
  'steps of AdamW in TypeScript, from a file of PyTorch and back into it, are those of PyTorch bit for bit',
  async (t) => {
    t.timeout(300_000)
    const folder = await scratchFolder(t)
    const { ours, theirs } = await trainHere(t, folder, 'fused')
    t.true((await readFile(ours)).equals(await readFile(theirs)))
    // PyTorch resumes the file of TypeScript, and trains on as if it had never been away.
    t.is((await runTorch('torch_adamw.py', 'resume', folder, 'fused')).trim(), 'identical')
  },
)

requires(test, torch)(
  'steps against the AdamW of PyTorch that takes roots by MKL differ by the last bits of the roots',
  async (t) => {
    t.timeout(300_000)
    const folder = await scratchFolder(t)
    const { ours, theirs } = await trainHere(t, folder, 'loop')
    const [here, there] = [await loadCheckpoint(ours), await loadCheckpoint(theirs)]
    const { states } = await diffCheckpoints(there, here)
    t.deepEqual(here.optimizer!.attributes, there.optimizer!.attributes)
    for (const { tensors } of states) {
      for (const { name, change, difference } of tensors) {
        t.is(change, 'bytes', name)
        t.log(`${name}: ${difference!.relativeNorm} relative, ${difference!.largest} at most`)
        t.true(difference!.relativeNorm < 2 ** -22, name)
      }
    }
    here.close()
    there.close()
  },
)
