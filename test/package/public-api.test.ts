import { readFile } from 'node:fs/promises'
import test from 'ava'
import * as browser from '../../src/browser.js'
import * as node from '../../src/index.js'

// The names that a user can import at run time. A change here is a change of the API: say so in
// CHANGELOG.md.
const NAMES = [
  'CheckpointError',
  'FileHandleSink',
  'MemorySink',
  'StateMismatchError',
  'dtypes',
  'isCheckpointError',
  'loadCheckpoint',
  'restoreCheckpoint',
  'saveCheckpoint',
]

// Where there are paths and threads.
const NODE_ONLY = ['BackgroundSaver', 'CheckpointManager', 'FolderStore']

test('the entry for Node exports these names and no others', (t) => {
  t.deepEqual(Object.keys(node).sort(), [...NAMES, ...NODE_ONLY].sort())
})

test('the entry for browsers exports the same names', (t) => {
  t.deepEqual(Object.keys(browser).sort(), NAMES)
})

test('the dtypes are those of the schema', async (t) => {
  const schema = await readFile(new URL('../../schema/checkpoint.fbs', import.meta.url), 'utf8')
  const body = /enum DType : ubyte \{(.*?)\n\}/s.exec(schema)?.[1] ?? ''
  const names = [...body.matchAll(/^ {2}(\w+) = \d+/gm)].map(([, name]) => name)
  t.deepEqual([...node.dtypes].sort(), names.filter((name) => name !== 'unknown').sort())
})

test('the codes of errors are these and no others', async (t) => {
  const source = await readFile(new URL('../../generated/errors.ts', import.meta.url), 'utf8')
  const declared = [...source.matchAll(/^ {2}\| '(CKPT_\w+)'/gm)].map(([, code]) => code)
  t.deepEqual(declared.sort(), [
    'CKPT_ASYNC_SOURCE',
    'CKPT_BIG_ENDIAN',
    'CKPT_BUSY',
    'CKPT_CLOSED',
    'CKPT_EXISTS',
    'CKPT_FILE_CHANGED',
    'CKPT_FILE_LENGTH',
    'CKPT_FLATBUFFER',
    'CKPT_FOREIGN_FILE',
    'CKPT_FORMAT',
    'CKPT_METADATA_CHECKSUM',
    'CKPT_NOT_A_CHECKPOINT',
    'CKPT_NOT_COMMITTED',
    'CKPT_NOT_CONVERTIBLE',
    'CKPT_NOT_DURABLE',
    'CKPT_NO_SUCH_TENSOR',
    'CKPT_READ',
    'CKPT_RESTORE_INCOMPLETE',
    'CKPT_STATE_MISMATCH',
    'CKPT_TENSOR_CHANGED',
    'CKPT_TENSOR_CHECKSUM',
    'CKPT_TENSOR_TOO_LARGE',
    'CKPT_VERSION',
  ])
})
