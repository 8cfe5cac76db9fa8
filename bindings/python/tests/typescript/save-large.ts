// Saves a large tensor of zeros, but for its last byte, and a small one behind it: the path, and the
// length in bytes.

import { saveCheckpoint } from '../../../../src/index.js'

const [path, length] = process.argv.slice(2) as [string, string]
const data = new Uint8Array(Number(length))
data[data.length - 1] = 7
await saveCheckpoint(path, {
  stateDict: () => ({
    large: { dtype: 'uint8', shape: [data.length], data },
    small: { shape: [3], data: Float32Array.of(1, 2, 3) },
  }),
})
