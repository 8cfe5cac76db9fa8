/** Every call to the system that a save in C++ makes: killed there, failed there. */

import { CPP_NEEDS } from '../support/crash/cpp.js'
import { sweep } from '../support/crash/every-call.js'
import { report } from '../support/crash/report.js'
import type { SceneName } from '../support/crash/scene.js'
import { workspace } from '../support/crash/workspace.js'
import { testWith } from '../support/requires.js'

const ERRORS = ['EIO', 'ENOSPC', 'EINTR']

const SCENES: readonly SceneName[] = [
  'first save into a new folder',
  'overwrite',
  "overwrite of somebody's private file",
]

const testHere = testWith('tracing', ...CPP_NEEDS)

for (const scene of SCENES) {
  testHere(
    `C++, killed at any call, leaves the old or the new file, and the next save works: ${scene}`,
    async (t) => {
      const folder = await workspace(t)
      const { tried, violations } = await sweep({ folder, scene, by: 'C++' }, () => [
        { kind: 'kill' },
      ])
      report(t, `C++, killed (SIGKILL) at every call: ${scene}`, tried, violations)
    },
  )

  testHere(`C++ tells of any call that fails, and nothing is half done: ${scene}`, async (t) => {
    const folder = await workspace(t)
    const { tried, violations } = await sweep({ folder, scene, by: 'C++' }, () =>
      ERRORS.map((error) => ({ kind: 'error', error })),
    )
    report(t, `C++, every call fails (${ERRORS.join(', ')}): ${scene}`, tried, violations)
  })
}

testHere('C++ finds out a disk that lies about what it has written', async (t) => {
  const folder = await workspace(t)
  const { tried, violations } = await sweep({ folder, scene: 'overwrite', by: 'C++' }, (call) =>
    call.name === 'pwrite64'
      ? [call.result, Math.ceil(call.result / 2)].map((returns) => ({ kind: 'lie', returns }))
      : [],
  )
  report(t, 'C++, a write reports bytes that never arrive', tried, violations)
})
