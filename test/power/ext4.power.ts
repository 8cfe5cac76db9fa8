/** Power cuts on ext4. */

import { testPowerCuts } from '../support/power/power.js'

// Where a file is replaced, ext4 makes good for a sync that is missing (auto_da_alloc): so that bug is
// planted where there was no file.
testPowerCuts('ext4', [
  { mutant: 'no-folder-sync', scene: 'overwrite' },
  { mutant: 'no-file-sync', scene: 'first save into a new folder' },
])
