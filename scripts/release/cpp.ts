/** The package of CMake and pkg-config. */

import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expectAll, expectEqual, type PackageCheck } from './package-check.js'
import { exampleOf, giveCheckpoint, readmeOf } from './readme.js'

const FIRST_LINE = /^epoch 3, loss /

export const cpp: PackageCheck = {
  name: 'C++',
  needs: ['cmake', 'c++', 'flatc', 'pkg-config'],
  steps: [
    {
      title:
        'it is installed under a prefix, with headers, licence, and packages of CMake and pkg-config',
      run: async ({ run, root, folder }) => {
        const source = join(root, 'bindings/cpp')
        const options = ['-DLIGHTWATCH_BUILD_PROGRAMS=OFF', '-DCMAKE_INSTALL_LIBDIR=lib']
        await run('cmake', ['-S', source, '-B', 'build', ...options])
        await run('cmake', ['--build', 'build'])
        await run('cmake', ['--install', 'build', '--prefix', join(folder, 'prefix')])
        const files = (
          await run('find', ['.', '-type', 'f'], { cwd: join(folder, 'prefix') })
        ).split('\n')
        expectAll(
          files,
          [
            './include/lightwatch/checkpoint.hpp',
            './include/lightwatch/checkpoint/checkpoint_generated.h',
            './lib/cmake/lightwatch_checkpoint/lightwatch_checkpoint-config.cmake',
            './lib/cmake/lightwatch_checkpoint/lightwatch_checkpoint-config-version.cmake',
            './lib/pkgconfig/lightwatch_checkpoint.pc',
            './share/doc/lightwatch_checkpoint/LICENSE',
          ],
          'the prefix',
        )
      },
    },
    {
      title: 'a program with the example of the README finds it by find_package, and runs',
      run: async ({ run, root, folder }) => {
        const readme = await readmeOf(root, 'cpp')
        const cwd = join(folder, 'user')
        await mkdir(cwd)
        await writeFile(join(cwd, 'main.cpp'), exampleOf(readme, 'cpp', 'int main'))
        const lines = exampleOf(readme, 'cmake', 'find_package').split('\n')
        const [find, ...use] = lines
        await writeFile(
          join(cwd, 'CMakeLists.txt'),
          `cmake_minimum_required(VERSION 3.16)\nproject(user LANGUAGES CXX)\n${find}\n` +
            `add_executable(trainer main.cpp)\n${use.join('\n')}`,
        )
        await giveCheckpoint(root, cwd)
        await run('cmake', [
          '-S',
          cwd,
          '-B',
          'by-cmake',
          `-DCMAKE_PREFIX_PATH=${join(folder, 'prefix')}`,
        ])
        await run('cmake', ['--build', 'by-cmake'])
        expectFirstLine(await run(join(folder, 'by-cmake/trainer'), [], { cwd }))
      },
    },
    {
      title: 'the same program is built by pkg-config, with the version of all packages, and runs',
      run: async ({ run, folder, version }) => {
        const cwd = join(folder, 'user')
        const env = { PKG_CONFIG_PATH: join(folder, 'prefix/lib/pkgconfig') }
        const ask = (...args: string[]) =>
          run('pkg-config', [...args, 'lightwatch_checkpoint'], { env })
        expectEqual((await ask('--modversion')).trim(), version, 'the version')
        const flags = (await ask('--cflags', '--libs')).trim().split(/\s+/)
        await run('c++', ['-std=c++17', 'main.cpp', ...flags, '-o', 'trainer'], { cwd })
        expectFirstLine(await run(join(cwd, 'trainer'), [], { cwd }))
      },
    },
  ],
}

function expectFirstLine(printed: string): void {
  if (!FIRST_LINE.test(printed)) throw new Error(`it prints:\n${printed}`)
}
