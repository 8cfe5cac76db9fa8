/** Power cuts at every call of a save in C++. */

import { CPP_NEEDS } from '../support/crash/cpp.js'
import { Disk } from '../support/crash/disk.js'
import { report } from '../support/crash/report.js'
import { scaled } from '../support/crash/scale.js'
import { workspace } from '../support/crash/workspace.js'
import { cutPowerAtEveryCall } from '../support/power/every-call.js'
import { testWith } from '../support/requires.js'

// Power cuts after a save that has returned, besides those at each of its calls.
const AFTERWARDS = scaled(3)

for (const format of ['ext4', 'xfs'] as const) {
  const testHere = testWith(
    ...(['mounts', 'loop devices', 'tracing', 'program:xfs_io'] as const),
    `program:mkfs.${format}`,
    ...CPP_NEEDS,
  )
  for (const scene of ['first save into a new folder', 'overwrite'] as const) {
    testHere(`${format}: a power cut at any call of a save in C++: ${scene}`, async (t) => {
      const disk = await Disk.create(await workspace(t), format)
      const { tried, violations } = await cutPowerAtEveryCall({
        ...{ disk, scene, by: 'C++', afterwards: AFTERWARDS },
      })
      const what = `C++, power cut at every call and after the save, ${format}: ${scene}`
      report(t, what, tried, violations)
    })
  }
}
