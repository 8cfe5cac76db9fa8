/**
 * The verifier of FlatBuffers for C++ as a reporter: paths on standard input, and a line for each, which
 * is `{"flatbuffer":true}` or a refusal. It looks at a file as one buffer, and at nothing else of it. The
 * program that it asks is built anew at each start, with the flatc and the headers of this machine.
 *
 *   tsx test/support/conformance/flatc-reporter.ts
 */

import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { buildOracle } from '../fuzz/cpp/build.js'
import { Batch, Oracle } from '../fuzz/cpp/oracle.js'

const folder = await mkdtemp(join(tmpdir(), 'lightwatch-flatc-'))
const oracle = new Oracle(await buildOracle(folder))
// It runs by now, and needs no file any more.
await rm(folder, { recursive: true })
const batch = new Batch()
for await (const path of createInterface({ input: process.stdin })) {
  batch.add('file', await readFile(path))
  const [sound] = await oracle.verdicts(batch)
  batch.clear()
  const report = sound ? { flatbuffer: true } : { error: { code: 'CKPT_FLATBUFFER', rule: null } }
  await new Promise((resolve) => process.stdout.write(`${JSON.stringify(report)}\n`, resolve))
}
oracle.close()
