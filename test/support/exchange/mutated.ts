/** Mutated files of other formats, and what their readers make of them. */

import { isCheckpointError } from '../../../src/errors.js'
import { readNpyFile, readNpzFile } from '../../../src/exchange/numpy-file.js'
import { readPytorchFile } from '../../../src/exchange/pytorch/pytorch-file.js'
import { readSafetensorsFile } from '../../../src/exchange/safetensors-file.js'
import { readModelJson } from '../../../src/exchange/tensorflowjs/model-json-file.js'
import type { InputPlace, Training } from '../../../src/exchange/training.js'
import { MemorySource } from '../../../src/io/memory-source.js'
import { Random } from '../random.js'
import { archive, bytesOf, op, pickleOf, storage, tensor } from './pickle.js'
import { npySeed, npzSeed, safetensorsOf, safetensorsSeed } from './tensor-seeds.js'
import { zip } from './zip.js'

/** Which reader. */
export type ForeignTarget = 'archive' | 'legacy' | 'model.json' | 'safetensors' | 'npy' | 'npz'

const READERS: { readonly [target in ForeignTarget]: (place: InputPlace) => Promise<Training> } = {
  archive: (place) => readPytorchFile(place),
  legacy: (place) => readPytorchFile(place),
  'model.json': (place) => readModelJson(place),
  safetensors: readSafetensorsFile,
  npy: readNpyFile,
  npz: readNpzFile,
}

/** What inputs came to, by rule or `read`; and the longest that one took, in milliseconds of processor time. */
export interface MutationReport {
  readonly outcomes: Map<string, number>
  readonly failures: string[]
  longest: number
}

// Longest that all tensors of an input may be together: what a reader hands out is in proportion to its file, but for
// tensors that repeat their storage, up to 64 MiB each, which are not read here.
const MOST_READ = 2 ** 20

const uint64 = (value: number): Uint8Array =>
  new Uint8Array(BigUint64Array.of(BigInt(value)).buffer)
const floats = new Uint8Array(Float32Array.from({ length: 12 }, (_, i) => i).buffer)

const weights = (over: Uint8Array) => [
  ...[op.text('a'), tensor(over, 0, [3, 4], [4, 1])],
  ...[op.text('b'), tensor(over, 0, [4, 3], [1, 4])],
  ...[op.text('c'), tensor(over, 2, [5], [2])],
]

const training = (over: Uint8Array): Uint8Array =>
  pickleOf(
    ...[op.text('model'), op.dict(...weights(over)), op.text('epoch'), bytesOf('K', 3)],
    op.text('optimizer'),
    op.dict(
      op.text('state'),
      op.dict(bytesOf('K', 0), op.dict(op.text('exp_avg'), tensor(over, 0, [12], [1]))),
      op.text('param_groups'),
      bytesOf(
        ']',
        op.dict(
          op.text('params'),
          bytesOf(']K', 0, 'a'),
          op.text('lr'),
          bytesOf('G', [63, 240, 0, 0, 0, 0, 0, 0]),
        ),
        'a',
      ),
    ),
    ...[
      op.text('args'),
      op.dict(
        op.text('n'),
        bytesOf(0x8a, 3, [1, 2, 3]),
        op.text('t'),
        op.tuple('N', 0x88, op.int(7)),
      ),
    ],
  )

const PICKLE = training(storage('FloatStorage', '0', 12))
const LEGACY_PICKLE = training(
  bytesOf(
    op.tuple(
      op.text('storage'),
      op.global('torch', 'FloatStorage'),
      op.text('7'),
      op.text('cpu'),
      op.int(12),
      'N',
    ),
    'Q',
  ),
)
const LEGACY = bytesOf(
  [0x80, 2, 0x8a, 10, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19, 0x2e],
  bytesOf(
    op.proto,
    'M',
    [0xe9, 3],
    op.stop,
    op.proto,
    op.dict(op.text('little_endian'), 0x88),
    op.stop,
  ),
  LEGACY_PICKLE,
  bytesOf(op.proto, '](', op.text('7'), 'e', op.stop),
  uint64(12),
  floats,
)
const JSON_TEXT = JSON.stringify({
  format: 'layers-model',
  modelTopology: {
    class_name: 'Sequential',
    config: { layers: [{ class_name: 'Dense', config: { name: 'dense_Dense1' } }] },
  },
  trainingConfig: { optimizer_config: { class_name: 'Adam', config: { beta1: 0.9 } } },
  weightsManifest: [
    {
      paths: ['w'],
      weights: [
        { name: 'dense_Dense1/kernel', shape: [2, 3], dtype: 'float32' },
        {
          name: 'dense_Dense1/bias',
          shape: [3],
          dtype: 'float32',
          quantization: { dtype: 'uint8', scale: 0.5, min: -1 },
        },
        { name: 'step', shape: [], dtype: 'int32', group: 'optimizer' },
        { name: 'half', shape: [4], dtype: 'float32', quantization: { dtype: 'float16' } },
      ],
    },
  ],
})
const SHARD = new Uint8Array(24 + 3 + 4 + 8)

// Bytes that mean something to a pickle, so that more of what is made is one.
const OPCODES = [
  ...Buffer.from('(.)]}tuesaRQbcNKMJXUqhrjG'),
  0x80,
  0x81,
  0x85,
  0x86,
  0x87,
  0x88,
  0x89,
  0x8a,
  0x8f,
]
const WORDS = [
  '0',
  '-1',
  '1e999',
  '4294967296',
  'null',
  '[]',
  '{}',
  '""',
  '9007199254740993',
  '"float32"',
  '"string"',
]

/** Tries inputs `from` to `from + count` of a seed. Each can be made again by its number alone. */
export async function tryMutations(
  target: ForeignTarget,
  seed: number,
  from: number,
  count: number,
): Promise<MutationReport> {
  const report: MutationReport = { outcomes: new Map(), failures: [], longest: 0 }
  for (let i = from; i < from + count; i++) {
    const random = new Random(seed, i)
    const place = placeOf(target, random)
    const start = process.cpuUsage()
    let outcome: string
    try {
      const training = await READERS[target](place)
      await readAll(training)
      training.close()
      outcome = 'read'
    } catch (error) {
      if (isCheckpointError(error)) outcome = error.rule ?? error.code
      else {
        outcome = 'failure'
        report.failures.push(`${target} ${seed} ${i}: ${(error as Error).stack ?? error}`)
      }
    }
    const { user, system } = process.cpuUsage(start)
    report.longest = Math.max(report.longest, (user + system) / 1000)
    report.outcomes.set(outcome, (report.outcomes.get(outcome) ?? 0) + 1)
  }
  return report
}

async function readAll({ model, optimizer, extras }: Training): Promise<void> {
  let length = 0
  for (const state of [model, ...(optimizer === null ? [] : [optimizer]), ...extras.values()]) {
    for (const [, tensor] of state) {
      length += tensor.byteLength
      if (length > MOST_READ) return
      await tensor.read()
    }
  }
}

function placeOf(target: ForeignTarget, random: Random): InputPlace {
  const place = (bytes: Uint8Array, shard = SHARD): InputPlace => ({
    name: target,
    source: new MemorySource(bytes),
    sibling: async () => new MemorySource(shard),
  })
  if (target === 'model.json') return place(Buffer.from(mutatedText(JSON_TEXT, random)))
  if (target === 'npy') return place(mutated(npySeed, random))
  if (target === 'npz') {
    if (random.oneIn(4)) return place(mutated(npzSeed, random))
    return place(zip([{ name: 'w.npy', contents: mutated(npySeed, random) }]))
  }
  if (target === 'safetensors') {
    const { header, data } = safetensorsSeed
    if (random.oneIn(4)) return place(mutated(safetensorsOf(header, data), random))
    return place(safetensorsOf(mutatedText(header, random), data))
  }
  if (target === 'legacy') return place(mutated(LEGACY, random))
  // Mostly the pickle, in an archive whose checksums are right; sometimes the archive itself.
  if (random.oneIn(4)) return place(mutated(archive(PICKLE, { 0: floats }), random))
  return place(archive(mutated(PICKLE, random), { 0: floats }))
}

function mutated(bytes: Uint8Array, random: Random): Uint8Array {
  let made = Uint8Array.from(bytes)
  for (let n = random.between(1, 4); n > 0; n--) {
    const at = random.below(made.length)
    switch (random.below(6)) {
      case 0:
        made[at]! ^= 1 << random.below(8)
        break
      case 1:
        made[at] = random.pick(OPCODES)
        break
      case 2:
        made[at] = random.pick([0, 1, 0x7f, 0x80, 0xff])
        break
      case 3:
        made = made.subarray(0, at + 1)
        break
      case 4: {
        // A piece once more, in another place.
        const length = Math.min(random.between(1, 40), made.length - at)
        const to = random.below(made.length)
        made = bytesOf(
          made.subarray(0, to),
          made.subarray(at, at + length),
          made.subarray(to),
        ) as Uint8Array<ArrayBuffer>
        break
      }
      default:
        made = bytesOf(
          made.subarray(0, at),
          made.subarray(at + random.between(1, 12)),
        ) as Uint8Array<ArrayBuffer>
        if (made.length === 0) return made
    }
  }
  return made
}

function mutatedText(text: string, random: Random): string {
  let made = text
  for (let n = random.between(1, 3); n > 0; n--) {
    if (random.oneIn(2)) {
      // A value for another one.
      const values = [...made.matchAll(/(?<=[:[,])(?:"[^"]*"|-?[\d.]+|\[\])/g)]
      if (values.length === 0) return made
      const { index, 0: value } = random.pick(values)
      const other = random.oneIn(2) ? random.pick(WORDS) : random.pick(values)[0]
      made = made.slice(0, index) + other + made.slice(index + value.length)
    } else {
      const at = random.below(made.length)
      const length = random.between(0, 6)
      const put = random.oneIn(2) ? '' : String.fromCharCode(random.between(32, 126))
      made = made.slice(0, at) + put + made.slice(at + length)
    }
  }
  return made
}
