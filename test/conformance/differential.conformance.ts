/** The differential test sees what differs: it is given implementations that are wrong. */

import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { differential, disagreement } from '../support/conformance/differential.js'
import { typescript } from '../support/conformance/implementations.js'
import type { FileReport, Refusal } from '../support/conformance/report.js'
import type { Column } from '../support/conformance/results.js'

const report: FileReport = {
  version: 1,
  metadata_length: 400,
  file_length: 500,
  epoch: 1,
  step: 2,
  loss: null,
  metrics: [],
  config: null,
  sequence: null,
  saved_at: null,
  states: [
    {
      name: 'model',
      kind: null,
      attributes: [],
      tensors: [
        {
          name: 'w',
          dtype: 'uint8',
          shape: ['1'],
          offset: '448',
          byte_length: '1',
          crc32: '00000000',
          bytes: '00',
        },
      ],
    },
  ],
}
const refusal: Refusal = { error: { code: 'CKPT_FORMAT', rule: 'gap' } }
const other: Refusal = { error: { code: 'CKPT_FORMAT', rule: 'version' } }
const columns = [{ name: 'A' }, { name: 'B' }]

test('two implementations agree if they report the same, or if both refuse', (t) => {
  t.is(disagreement(columns, [report, report], undefined), undefined)
  t.is(disagreement(columns, [report, structuredClone(report)], report), undefined)
  t.is(disagreement(columns, [refusal, other], refusal), undefined)
})

test('they disagree if one reads what the other refuses', (t) => {
  t.is(disagreement(columns, [report, refusal], undefined), 'read by A; refused by B (gap)')
  t.is(disagreement(columns, [refusal, report], undefined), 'read by B; refused by A (gap)')
})

test('they disagree if they read different values', (t) => {
  const [state] = report.states
  const [tensor] = state!.tensors
  const bytes = { ...report, states: [{ ...state!, tensors: [{ ...tensor!, bytes: '01' }] }] }
  t.regex(disagreement(columns, [report, { ...report, epoch: 2 }], undefined)!, /epoch: 2/)
  t.regex(disagreement(columns, [report, bytes], undefined)!, /bytes: "01" instead of "00"/)
  t.is(
    disagreement([columns[0]!, { name: 'B', noBytes: true }], [report, bytes], undefined),
    undefined,
  )
})

test('an implementation that ends disagrees, and so does the verifier for C++ if it refuses a readable file', (t) => {
  t.regex(disagreement(columns, [report, new Error('ended')], undefined)!, /B: no report: ended/)
  t.regex(disagreement(columns, [report, report], refusal)!, /refused by flatc/)
})

/** A reporter that is a program of a few lines. */
function column(folder: string, name: string, program: string): Promise<Column> {
  const path = join(folder, `${name}.mjs`)
  return writeFile(path, program).then(() => ({
    name,
    command: { program: process.execPath, args: [path] },
  }))
}

const LINES = `import { createInterface } from 'node:readline'
const answer = (report) => process.stdout.write(JSON.stringify(report) + '\\n')
for await (const path of createInterface({ input: process.stdin })) `

test('a reporter that accepts everything, or that ends, is noticed, and the file is kept', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'lightwatch-test-'))
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  const library: Column = { name: 'TypeScript', command: typescript.reporter }
  const credulous = await column(folder, 'credulous', `${LINES}answer(${JSON.stringify(report)})`)
  const mortal = await column(folder, 'mortal', `${LINES}process.exit(1)`)
  for (const [wrong, what] of [
    [credulous, /read by credulous; refused by TypeScript|credulous reads another thing/],
    [mortal, /mortal: no report/],
  ] as const) {
    const keep = await mkdtemp(join(folder, 'kept-'))
    const found = await differential({ columns: [library, wrong], seed: 1, count: 6, keep })
    t.is(found.disagreements.length, 6)
    for (const { what: said } of found.disagreements) t.regex(said, what)
    t.deepEqual(
      (await readdir(keep)).sort(),
      Array.from({ length: 6 }, (_, i) => `disagreement-1-${i}.ckpt`),
    )
  }
})

test('a file can be made again from its seed and its number', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'lightwatch-test-'))
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  const mortal = await column(folder, 'mortal', `${LINES}process.exit(1)`)
  const kept = async (from: number, count: number, of: number): Promise<string> => {
    const keep = await mkdtemp(join(folder, 'kept-'))
    await differential({ columns: [mortal], seed: 7, from, count, keep })
    return readFile(join(keep, `disagreement-7-${of}.ckpt`), 'hex')
  }
  t.is(await kept(0, 4, 3), await kept(3, 1, 3))
})
