/** Every hostile file that is refused, by name. */

import { bombs } from './bombs.js'
import { container } from './container.js'
import type { Fixture } from './fixture.js'
import { names } from './names.js'
import { structure } from './structure.js'
import { tensors } from './tensors.js'

export const catalogue: readonly Fixture[] = [
  ...container,
  ...structure,
  ...tensors,
  ...names,
  ...bombs,
]
