/** fast-check, whose cases are those of the seed of this run. */

import fc from 'fast-check'
import { SEED } from './seed.js'

fc.configureGlobal({ seed: SEED })

export { default } from 'fast-check'
