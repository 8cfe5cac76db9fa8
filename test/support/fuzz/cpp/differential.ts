/**
 * Our verifier against the one for C++, over mutated buffers: ours is never looser. What ours accepts
 * is accepted by the other, and can be decoded, or walked in full, without a read out of range.
 *
 * Three things are compared: whole files (load and check everything, against the verifier for the
 * schema as it is), metadata by itself, and buffers of a schema with every construct there is.
 */

import { CheckpointError } from '../../../../src/errors.js'
import { decode } from '../../../../src/format/decode.js'
import type { SchemaDescription } from '../../../../src/format/description.js'
import { verifyFlatBuffer } from '../../../../src/format/flatbuffer-verifier.js'
import { schema } from '../../../../src/format/schema.js'
import { loadCheckpoint } from '../../../../src/load/load.js'
import { Random } from '../../random.js'
import { dissect } from '../anatomy.js'
import { Violation } from '../guards.js'
import { HostileFiles } from '../hostile-files.js'
import { type Aim, Mutator } from '../mutator.js'
import { everyConstruct, fileSeeds, metadataSeeds } from '../seeds.js'
import { Batch, Oracle, type SchemaName } from './oracle.js'

/** A buffer that ours accepts and the other refuses, or that cannot be read. */
export interface Disagreement {
  readonly schema: SchemaName
  readonly index: number
  readonly what: string
  readonly input: Uint8Array
}

export interface Comparison {
  /** By what the two said: `metadata: both accept`, `every: stricter, flatbuffer.field`. */
  readonly tally: ReadonlyMap<string, number>
  readonly disagreements: readonly Disagreement[]
}

/** The descriptions that our verifier goes by. A test gives wrong ones, to see whether it is noticed. */
export interface Descriptions {
  readonly metadata: SchemaDescription
  readonly every: SchemaDescription
}

const AIMS: readonly Aim[] = ['all', 'structure', 'structure', 'values']

// Buffers judged at once.
const BATCH = 512

// Of eight inputs.
const KINDS: readonly SchemaName[] = [
  'file',
  'metadata',
  'metadata',
  'metadata',
  'metadata',
  'every',
  'every',
  'every',
]

/** What ours says: undefined where it accepts, else the rule that it names. */
type Verdict = string | undefined

interface Judged {
  readonly schema: SchemaName
  readonly index: number
  readonly verdict: Verdict
}

export class Differential {
  readonly #oracle: Oracle
  readonly #files = new HostileFiles(fileSeeds())
  readonly #metadata = new Mutator(metadataSeeds())
  readonly #every: Mutator
  readonly #descriptions: Descriptions

  private constructor(oracle: Oracle, every: Mutator, descriptions: Descriptions) {
    this.#oracle = oracle
    this.#every = every
    this.#descriptions = descriptions
  }

  /** `program` is the oracle that was built. */
  static async start(
    program: string,
    wrong: (right: Descriptions) => Descriptions = (right) => right,
  ): Promise<Differential> {
    const every = await everyConstruct()
    const descriptions = wrong({ metadata: schema, every: every.schema })
    return new Differential(new Oracle(program), new Mutator(every.seeds), descriptions)
  }

  /** Compares the inputs from number `from` on. */
  async compare(seed: number, from: number, count: number): Promise<Comparison> {
    const tally = new Map<string, number>()
    const disagreements: Disagreement[] = []
    const batches = [new Batch(), new Batch()] as const
    let turn = 0
    let pending: Promise<void> = Promise.resolve()
    for (let start = from; start < from + count; start += BATCH) {
      const end = Math.min(start + BATCH, from + count)
      const batch = batches[turn++ % 2]!
      batch.clear()
      const judged: Judged[] = []
      for (let index = start; index < end; index++) {
        const random = new Random(seed, index)
        const schema = random.pick(KINDS)
        const input = this.#input(schema, random)
        batch.add(schema, input)
        try {
          judged.push({ schema, index, verdict: await this.#verdict(schema, input) })
        } catch (error) {
          disagreements.push({ schema, index, what: describe(error), input: input.slice() })
          judged.push({ schema, index, verdict: undefined })
        }
      }
      // The oracle works on one batch while the next one is made.
      await pending
      pending = this.#settle(batch, judged, seed, tally, disagreements)
    }
    await pending
    return { tally, disagreements }
  }

  /** The input with this number, again. */
  inputOf(seed: number, index: number): Uint8Array {
    const random = new Random(seed, index)
    return this.#input(random.pick(KINDS), random).slice()
  }

  close(): void {
    this.#oracle.close()
  }

  async #settle(
    batch: Batch,
    judged: readonly Judged[],
    seed: number,
    tally: Map<string, number>,
    disagreements: Disagreement[],
  ): Promise<void> {
    const verdicts = await this.#oracle.verdicts(batch)
    for (const [i, { schema, index, verdict }] of judged.entries()) {
      const accepted = verdicts[i]!
      let outcome: string
      if (verdict === undefined) outcome = accepted ? 'both accept' : 'LOOSER'
      else outcome = accepted ? `stricter, ${verdict}` : 'both refuse'
      if (outcome === 'LOOSER') {
        const input = this.inputOf(seed, index)
        disagreements.push({ schema, index, what: 'the C++ verifier refuses it', input })
      }
      const key = `${schema}: ${outcome}`
      tally.set(key, (tally.get(key) ?? 0) + 1)
    }
  }

  #input(schema: SchemaName, random: Random): Uint8Array {
    if (schema === 'file') return this.#files.make(random)
    const mutator = schema === 'metadata' ? this.#metadata : this.#every
    return mutator.mutate(random, random.pick(AIMS))
  }

  async #verdict(schema: SchemaName, input: Uint8Array): Promise<Verdict> {
    if (schema === 'file') return fileVerdict(input)
    const description = this.#descriptions[schema]
    try {
      verifyFlatBuffer(input, description)
    } catch (error) {
      return ruleOf(error, 'CKPT_FLATBUFFER')
    }
    if (schema === 'every') dissect(input, description)
    else {
      try {
        decode(input)
      } catch (error) {
        ruleOf(error, 'CKPT_FORMAT')
      }
    }
    return undefined
  }
}

/** Loads, and checks everything. */
async function fileVerdict(input: Uint8Array): Promise<Verdict> {
  try {
    const checkpoint = await loadCheckpoint(input)
    await checkpoint.verify()
    return undefined
  } catch (error) {
    if (error instanceof CheckpointError) return error.rule ?? error.code
    throw error
  }
}

/** The rule of an error with that code; any other error is thrown again. */
function ruleOf(error: unknown, code: string): string {
  if (error instanceof CheckpointError && error.code === code) return error.rule ?? code
  throw error
}

function describe(error: unknown): string {
  if (error instanceof Violation) return error.message
  return error instanceof Error ? `${error.name}: ${error.message}` : String(error)
}
