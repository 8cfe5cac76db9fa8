/** Power cuts on XFS. */

import { testPowerCuts } from '../support/power/power.js'

testPowerCuts('xfs', [
  { mutant: 'no-folder-sync', scene: 'overwrite' },
  { mutant: 'no-file-sync', scene: 'overwrite' },
  { mutant: 'rename-before-sync', scene: 'overwrite' },
])
