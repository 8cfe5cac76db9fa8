/**
 * Builds the oracle: generates the C++ of our schemas with the flatc that belongs to the C++ headers
 * of FlatBuffers on this machine (Debian: flatbuffers-compiler and libflatbuffers-dev), and compiles.
 */

import { execFile } from 'node:child_process'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const run = promisify(execFile)

const CHECKPOINT = new URL('../../../../schema/checkpoint.fbs', import.meta.url)
const EVERY_CONSTRUCT = new URL('../../format/every-construct.fbs', import.meta.url)
const ORACLE = fileURLToPath(new URL('oracle.cpp', import.meta.url))

// A vector whose elements lie beyond the metadata.
const SEGMENT = /:\[\w+\] \(segment\);/g

/**
 * The schema of metadata by itself: where the elements of a vector are not there, its offset is a
 * number like any other, and our verifier takes it for one.
 */
function withoutSegments(schema: string): string {
  if (!SEGMENT.test(schema)) throw new Error('the schema has no vector that is a segment')
  return schema.replace(SEGMENT, ':uint;')
}

/** Builds the oracle in `folder`, and returns the path of the program. */
export async function buildOracle(folder: string): Promise<string> {
  const checkpoint = await readFile(CHECKPOINT, 'utf8')
  const schemas = {
    checkpoint,
    metadata: withoutSegments(checkpoint).replace(
      'namespace lightwatch.format;',
      'namespace lightwatch.metadata;',
    ),
    every: withoutSegments(await readFile(EVERY_CONSTRUCT, 'utf8')),
  }
  for (const [name, text] of Object.entries(schemas)) {
    const path = join(folder, `${name}.fbs`)
    await writeFile(path, text)
    await run('flatc', ['--cpp', '-o', folder, path])
  }
  const program = join(folder, 'oracle')
  await run('g++', ['-std=c++17', '-O2', '-Wall', '-I', folder, '-o', program, ORACLE])
  return program
}
