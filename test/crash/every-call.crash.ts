/** Every call to the system that a save makes: killed there, failed there, lied to there. */

import { type Findings, sweep } from '../support/crash/every-call.js'
import { report } from '../support/crash/report.js'
import type { SceneName } from '../support/crash/scene.js'
import type { Call } from '../support/crash/trace.js'
import type { Fault } from '../support/crash/tracer.js'
import { workspace } from '../support/crash/workspace.js'
import { testWith } from '../support/requires.js'

const ERRORS = ['EIO', 'ENOSPC', 'EDQUOT', 'EROFS', 'EINTR']

const KILLED: readonly Fault[] = [{ kind: 'kill' }]
/** Errors that Node survives: a failing close in its `readFileSync` ends the process (an assertion). */
function failures({ thread, name }: Call, errors: readonly string[]): readonly Fault[] {
  if (thread === 'main' && name === 'close') return []
  return errors.map((error) => ({ kind: 'error', error }))
}

const SAVES: readonly SceneName[] = [
  'first save into a new folder',
  'overwrite',
  "overwrite of somebody's private file",
  'overwrite in the background',
]

for (const scene of [...SAVES, 'rotation'] as const) {
  testWith('tracing')(
    `killed at any call, it leaves the old or the new file: ${scene}`,
    async (t) => {
      const { tried, violations } = await sweep({ folder: await workspace(t), scene }, () => KILLED)
      report(t, `killed (SIGKILL) at every call: ${scene}`, tried, violations)
    },
  )
}

for (const scene of SAVES) {
  testWith('tracing')(
    `any call that fails is told, and nothing is half done: ${scene}`,
    async (t) => {
      // In the background the same calls are made: two errors of them show that they are told there.
      const errors = scene === 'overwrite in the background' ? ERRORS.slice(0, 2) : ERRORS
      const folder = await workspace(t)
      const { tried, violations } = await sweep({ folder, scene }, (call) => failures(call, errors))
      report(t, `every call fails (${errors.join(', ')}): ${scene}`, tried, violations)
    },
  )
}

/** A disk that says that it has written what it has not, or half of it. */
function lies({ name, result }: Call): readonly Fault[] {
  if (name !== 'pwrite64') return []
  return [result, Math.ceil(result / 2)].map((returns) => ({ kind: 'lie', returns }))
}

testWith('tracing')('a disk that lies about its writes is noticed', async (t) => {
  const folder = await workspace(t)
  const { tried, violations } = await sweep({ folder, scene: 'overwrite' }, lies)
  report(t, 'a write reports bytes that never arrive', tried, violations)
})

testWith('tracing')(
  'what goes wrong while a failed save tidies up makes nothing worse',
  async (t) => {
    const failures = [
      { name: 'pwrite64', error: 'ENOSPC' },
      { name: 'rename', error: 'EIO' },
      // Of the folder, after the commit.
      { name: 'fsync', error: 'EIO' },
    ]
    const scenes = ['first save into a new folder', 'overwrite'] as const
    const findings: Findings[] = []
    for (const { name, error } of failures) {
      const after = { call: (call: Call) => call.name === name, error }
      for (const scene of scenes) {
        const folder = await workspace(t)
        const faults = [...KILLED, { kind: 'error', error: 'EIO' } as const]
        findings.push(await sweep({ folder, scene, after }, () => faults))
      }
    }
    const tried = findings.reduce((sum, findings) => sum + findings.tried, 0)
    const violations = findings.flatMap(({ violations }) => violations)
    report(t, 'a second fault, at every call after a first', tried, violations)
  },
)

for (const mutant of ['in-place', 'unlink-before-rename'] as const) {
  testWith('tracing')(`negative control: a save that is wrong (${mutant}) is caught`, async (t) => {
    const folder = await workspace(t)
    const { tried, violations } = await sweep({ folder, scene: 'overwrite', mutant }, () => KILLED)
    report(t, `killed at every call, ${mutant}`, tried, violations, { control: true })
  })
}
