// Saves a checkpoint again: the path of the one, and that of the other.

import { rewrite } from '../../../../test/support/conformance/rewrite.js'

const [from, to] = process.argv.slice(2) as [string, string]
await rewrite(from, to)
