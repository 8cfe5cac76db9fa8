/**
 * An environment for the contenders in Python, with safetensors, obstore and, if available, torch. It is made once; what could
 * not be installed is reported and left out.
 */

import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { shortReason } from './table.js'

/** A package: its version, or the reason why it is missing. */
export type Package = { readonly version: string } | { readonly reason: string }

export interface PythonPeers {
  /** The interpreter with the packages, or the reason why there is none. */
  readonly python: string | undefined
  readonly version: string
  readonly safetensors: Package
  readonly numpy: Package
  readonly torch: Package
  readonly obstore: Package
}

const standIns = fileURLToPath(new URL('peers/cuda_stand_ins.py', import.meta.url))

// torch's own requirements of pure Python. Its others, for CUDA, are more than 2 GB.
const TORCH_NEEDS = [
  'filelock',
  'typing-extensions',
  'sympy',
  'networkx',
  'jinja2',
  'fsspec',
  'setuptools>=77.0.3',
]

const NOWHERE: PythonPeers = {
  python: undefined,
  version: '',
  safetensors: { reason: 'there is no Python' },
  numpy: { reason: 'there is no Python' },
  torch: { reason: 'there is no Python' },
  obstore: { reason: 'there is no Python' },
}

/**
 * Makes the environment in `folder` if it does not exist yet.
 *
 * @param existing an interpreter to use instead; nothing is installed then
 * @param say reports the progress, as an install takes minutes
 */
export function pythonPeers(
  folder: string,
  existing: string | undefined,
  say: (line: string) => void,
): PythonPeers {
  if (existing !== undefined) return look(existing)
  const python = join(folder, 'bin', 'python')
  const done = join(folder, 'installed.json')
  if (!existsSync(done)) {
    rmSync(folder, { recursive: true, force: true })
    const problem = install(folder, python, say)
    if (!existsSync(python)) return { ...NOWHERE, safetensors: { reason: problem ?? 'no Python' } }
    writeFileSync(done, JSON.stringify({ problem: problem ?? null }))
  }
  const { problem } = JSON.parse(readFileSync(done, 'utf8')) as { problem: string | null }
  const found = look(python)
  const why = (found: Package): Package =>
    'reason' in found && problem !== null ? { reason: problem } : found
  return { ...found, safetensors: why(found.safetensors), torch: why(found.torch) }
}

/** Installs what can be installed. Returns the first failure, if there is one. */
function install(folder: string, python: string, say: (line: string) => void): string | undefined {
  say('making an environment for the contenders in Python (once)')
  const venv = run('python3', ['-m', 'venv', folder])
  if (venv !== undefined) return `python3 -m venv: ${venv}`
  const pip = (...packages: string[]) =>
    run(python, ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', ...packages])
  const problem = pip('numpy', 'safetensors', 'obstore')
  if (problem !== undefined) return `pip install safetensors: ${problem}`
  say('installing torch without CUDA (some 600 MB)')
  const torch = pip(...TORCH_NEEDS) ?? pip('--no-deps', 'torch')
  if (torch !== undefined) return `pip install torch: ${torch}`
  if ('version' in packageOf(python, 'torch')) return undefined
  // On x86-64 Linux the wheel is the one for CUDA and does not load without its libraries.
  const runtime = pip('--no-deps', 'nvidia-cuda-runtime')
  if (runtime !== undefined) return `pip install torch: ${runtime}`
  const packages = output(python, ['-c', 'import site; print(site.getsitepackages()[0])'])
  const linked = run(python, [standIns, packages ?? ''])
  return linked === undefined ? undefined : `torch without CUDA: ${linked}`
}

function look(python: string): PythonPeers {
  const version = output(python, ['-c', 'import platform; print(platform.python_version())'])
  if (version === undefined) return NOWHERE
  return {
    python,
    version,
    safetensors: packageOf(python, 'safetensors'),
    numpy: packageOf(python, 'numpy'),
    torch: packageOf(python, 'torch'),
    obstore: packageOf(python, 'obstore'),
  }
}

/** Imports a package, because an installed package may still not load. */
function packageOf(python: string, name: string): Package {
  const code = `import ${name}; print(${name}.__version__)`
  const { status, stdout, stderr } = spawnSync(python, ['-c', code], { encoding: 'utf8' })
  if (status === 0) return { version: stdout.trim() }
  return { reason: `it cannot be imported (${shortReason(lastLine(stderr))})` }
}

function run(command: string, programArguments: string[]): string | undefined {
  const { status, stderr, error } = spawnSync(command, programArguments, { encoding: 'utf8' })
  if (error !== undefined) return error.message
  return status === 0 ? undefined : shortReason(lastLine(stderr))
}

function output(command: string, programArguments: string[]): string | undefined {
  const { status, stdout } = spawnSync(command, programArguments, { encoding: 'utf8' })
  return status === 0 ? stdout.trim() : undefined
}

function lastLine(text: string): string {
  return text.trim().split('\n').at(-1) ?? ''
}
