/** `npm run api`: writes docs/api.txt, the public API of the built library. */

import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describeApi } from './declarations.js'

const root = fileURLToPath(new URL('..', import.meta.url))
writeFileSync(join(root, 'docs', 'api.txt'), describeApi(root))
