/** The package of PyPI. */

import { mkdir, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import {
  expectAll,
  expectEqual,
  expectNone,
  type PackageCheck,
  type Work,
} from './package-check.js'
import { exampleOf, readmeOf } from './readme.js'

const SOURCE = 'dist/source'
const PYTHON = 'environment/bin/python'

/** A program of a user's, with every annotation that `mypy --strict` asks for. */
const USER_PROGRAM = `from typing import Any, Dict, Optional

import numpy as np

import lightwatch_checkpoint as lw


def save(weights: Dict[str, "np.ndarray[Any, np.dtype[np.float32]]"], step: int) -> int:
    momentum = lw.State({"m": np.zeros(2, np.float32)}, kind="SGD", attributes={"lr": 0.1})
    report: lw.SaveReport = lw.save(
        "run.ckpt", weights, momentum, step=step, loss=0.5, metrics={"accuracy": 1.0}, extras={"ema": weights}
    )
    return report.nbytes


def load() -> Optional[float]:
    try:
        with lw.load("run.ckpt", map=False) as checkpoint:
            state: lw.LoadedState = checkpoint.model
            tensor: lw.Tensor = state.tensor("w")
            total = sum(array.nbytes for array in state.values())
            assert total == tensor.nbytes and tensor.shape == (2, 3)
            assert checkpoint.optimizer is not None and checkpoint.optimizer.kind == "SGD"
            name: str = tensor.dtype
            assert name == "float32"
            return checkpoint.loss
    except lw.CheckpointError as error:
        print(error.code, error.rule, error.path)
        return None


save({"w": np.ones((2, 3), np.float32)}, 3)
print(load())
lw.verify("run.ckpt")
`

export const python: PackageCheck = {
  name: 'PyPI',
  needs: ['python3'],
  steps: [
    {
      title: 'the source distribution and the wheel build',
      run: async ({ run, root }) => {
        await run('python3', ['-m', 'venv', 'environment'])
        await run(PYTHON, pip('build', 'mypy', 'pytest', 'safetensors'))
        await run(PYTHON, ['-m', 'build', '--outdir', 'dist', join(root, 'bindings/python')])
      },
    },
    {
      title: 'both have the licence, and the wheel says that it has types',
      run: async (work) => {
        const wheel = (
          await work.run('python3', ['-m', 'zipfile', '-l', await built(work, '.whl')])
        )
          .split('\n')
          .map((line) => line.split(' ')[0]!)
        const info = `lightwatch_checkpoint-${work.version}.dist-info`
        expectAll(
          wheel,
          ['lightwatch_checkpoint/py.typed', `${info}/licenses/LICENSE`],
          'the wheel',
        )
        expectNone(wheel, /tests\/|\.ckpt$|\.ts$/, 'the wheel')
        const source = (await work.run('tar', ['tzf', await built(work, '.tar.gz')])).split('\n')
        const top = `lightwatch_checkpoint-${work.version}`
        expectAll(source, [`${top}/LICENSE`, `${top}/README.md`, `${top}/PKG-INFO`], 'the source')
      },
    },
    {
      title: 'its metadata has the licence, the pages, and a range of flatbuffers',
      run: async (work) => {
        await mkdir(join(work.folder, SOURCE))
        const args = ['xzf', await built(work, '.tar.gz'), '--strip-components=1', '-C', SOURCE]
        await work.run('tar', args)
        const lines = (await work.run('cat', [`${SOURCE}/PKG-INFO`])).split('\n')
        const url = 'https://github.com/lightwatch/lightwatch-checkpoint'
        expectAll(
          lines,
          [
            'License-Expression: Apache-2.0',
            `Project-URL: Homepage, ${url}`,
            `Version: ${work.version}`,
          ],
          'PKG-INFO',
        )
        expectNone(lines, /^Requires-Dist: flatbuffers==/, 'PKG-INFO')
      },
    },
    {
      title: 'installed from the source distribution, its tests pass there',
      run: async (work) => {
        await work.run(PYTHON, pip(`${await built(work, '.tar.gz')}[test]`))
        // Of the installed package, and not of the folder with its source.
        const args = ['-m', 'pytest', '-q', '-o', 'pythonpath=']
        await work.run(join('..', '..', PYTHON), args, { cwd: join(work.folder, SOURCE) })
      },
    },
    {
      title: 'installed from the wheel, the examples of the README run in an empty folder',
      run: async (work) => {
        const { folder, run, root } = work
        await run(PYTHON, pip('--force-reinstall', '--no-deps', await built(work, '.whl')))
        const readme = await readmeOf(root, 'python')
        await writeFile(join(folder, 'quick-start.py'), exampleOf(readme, 'python', 'import numpy'))
        const printed = await run(PYTHON, ['quick-start.py'])
        expectEqual(printed, "1000 0.42 {'lr': 0.1}\n(2, 3) float32\n", 'the quick start')
        const prepare =
          'import numpy, safetensors.numpy as s; s.save_file({"w": numpy.ones(3)}, "model.safetensors")'
        await run(PYTHON, ['-c', prepare])
        await writeFile(join(folder, 'convert.py'), exampleOf(readme, 'python', 'safetensors'))
        await run(PYTHON, ['convert.py'])
      },
    },
    {
      title: 'mypy --strict takes a program that uses it, and the program runs',
      run: async ({ folder, run }) => {
        await mkdir(join(folder, 'user'))
        await writeFile(join(folder, 'user/program.py'), USER_PROGRAM)
        const cwd = join(folder, 'user')
        await run('../environment/bin/mypy', ['--strict', 'program.py'], { cwd })
        expectEqual(await run('../environment/bin/python', ['program.py'], { cwd }), '0.5\n', 'it')
      },
    },
  ],
}

function pip(...packages: string[]): string[] {
  return ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', ...packages]
}

/** The file with this ending that was built. */
async function built({ folder }: Work, ending: string): Promise<string> {
  const names = await readdir(join(folder, 'dist'))
  const name = names.find((name) => name.endsWith(ending))
  if (name === undefined) throw new Error(`no ${ending} was built`)
  return join('dist', name)
}
