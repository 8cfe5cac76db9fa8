/**
 * Makes a long file of uint8 tensors, for the readers' tests. It takes little of the disk: what is zero is
 * left out.
 *
 *   tsx make-long-file.ts PATH LENGTH...
 *
 * The tensors are called 0, 1, 2 and so on, and are all zeros but for their last byte, 0xa5.
 */

import { SparseFile } from '../scripts/sparse-file.js'
import { type NamedTensors, saveCheckpoint } from '../src/index.js'

const [path, ...lengths] = process.argv.slice(2)
if (path === undefined) throw new TypeError('a path is needed')

const tensors: NamedTensors = Object.fromEntries(
  lengths.map(Number).map((length, i) => [
    String(i),
    {
      dtype: 'uint8',
      shape: [length],
      data: async () => {
        const bytes = new Uint8Array(length)
        bytes[length - 1] = 0xa5
        return bytes
      },
    },
  ]),
)
await saveCheckpoint(new SparseFile(path), { stateDict: () => tensors }, null, { step: 1 })
