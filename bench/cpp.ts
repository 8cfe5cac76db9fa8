/** The library for C++ as a contender, built in bindings/cpp. */

import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { Program } from './contender.js'

const binding = fileURLToPath(new URL('../bindings/cpp', import.meta.url))
const build = `${binding}/build/bench`

/** The contender's program, or why there is none. */
export function cppProgram(): Program | { readonly reason: string } {
  const steps = [
    ['-S', binding, '-B', build, '-DCMAKE_BUILD_TYPE=Release', '-DBUILD_TESTING=OFF'],
    ['--build', build, '--target', 'bench_peer'],
  ]
  for (const step of steps) {
    const { status, error, stderr } = spawnSync('cmake', step, { encoding: 'utf8' })
    if (status !== 0) return { reason: `it could not be built: ${error?.message ?? stderr}` }
  }
  return { command: `${build}/bench_peer`, arguments: [] }
}
