/**
 * The reporter of the TypeScript library: paths on standard input, a report a line on standard output.
 *
 *   tsx test/support/conformance/reporter.ts [--read]
 *
 * A file is opened as `loadCheckpoint` opens a path: mapped where koffi is installed. With `--read` it
 * is read instead.
 */

import { createInterface } from 'node:readline'
import { crc32 } from '../../../src/format/checksum.js'
import {
  type Checkpoint,
  CheckpointError,
  type CheckpointState,
  loadCheckpoint,
  type TypedArray,
} from '../../../src/index.js'
import {
  checksumText,
  doubleBits,
  hex,
  MAX_REPORTED_BYTES,
  type Report,
  type ReportedState,
  type ReportedTensor,
  reportedAttributes,
  reportedMetrics,
} from './report.js'

const read = process.argv.includes('--read')

async function report(path: string): Promise<Report> {
  try {
    await using checkpoint = await loadCheckpoint(path, read ? { map: false } : {})
    await checkpoint.verify()
    return await describe(checkpoint)
  } catch (error) {
    if (!(error instanceof CheckpointError)) throw error
    return { error: { code: error.code, rule: error.rule ?? null } }
  }
}

async function describe(checkpoint: Checkpoint): Promise<Report> {
  const states: ReportedState[] = []
  for (const state of checkpoint.states) states.push(await describeState(state))
  const { version, metadataLength, byteLength, epoch, step, loss } = checkpoint
  return {
    version,
    metadata_length: metadataLength,
    file_length: byteLength,
    epoch,
    step,
    loss: loss === null ? null : doubleBits(loss),
    metrics: reportedMetrics(Object.entries(checkpoint.metrics)),
    config: checkpoint.configText,
    sequence: checkpoint.sequence,
    saved_at: checkpoint.savedAt,
    states,
  }
}

async function describeState(state: CheckpointState): Promise<ReportedState> {
  const tensors: ReportedTensor[] = []
  for (const [name, tensor] of state) {
    const bytes = bytesOf(await tensor.read())
    const segment = tensor.segment()
    tensors.push({
      name,
      dtype: tensor.dtype,
      shape: tensor.shape.map(String),
      offset: String(segment.end - segment.byteLength),
      byte_length: String(bytes.byteLength),
      crc32: checksumText(checksum(bytes)),
      bytes: bytes.byteLength <= MAX_REPORTED_BYTES ? hex(bytes) : null,
    })
  }
  return {
    name: state.name,
    kind: state.kind,
    attributes: reportedAttributes(state.attributes),
    tensors,
  }
}

function bytesOf({ buffer, byteOffset, byteLength }: TypedArray): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength)
}

/** The checksum of any length of memory. */
function checksum(bytes: Uint8Array): number {
  const most = 2 ** 28
  let crc = 0
  for (let done = 0; done < bytes.byteLength; done += most) {
    crc = crc32(bytes.subarray(done, done + most), crc)
  }
  return crc
}

for await (const path of createInterface({ input: process.stdin })) {
  const line = `${JSON.stringify(await report(path))}\n`
  await new Promise((resolve) => process.stdout.write(line, resolve))
}
