/**
 * Compiles and runs the programs that the viewer shows, in each language against the reader of this repository. The
 * readers must be built before, as the conformance suite builds them.
 */

import { execFile } from 'node:child_process'
import { mkdir, readdir, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const execute = promisify(execFile)

const repository = (path: string): string =>
  fileURLToPath(new URL(`../../../${path}`, import.meta.url))

/**
 * Runs programs of one language in `folder`, where the file that they open is. Returns what each of them prints. Rejects
 * with what the compiler says.
 */
type Runner = (programs: readonly string[], folder: string) => Promise<string[]>

/** The runner of each language, by the name that the viewer gives it. */
export const runners: { readonly [language: string]: Runner } = {
  TypeScript: (programs, folder) => {
    const library = JSON.stringify(new URL('../../../src/index.ts', import.meta.url).href)
    // Module by module: a program in another folder is in no bundle.
    const loader = `--import=${new URL('../typescript.mjs', import.meta.url)}`
    return each(programs, async (text, i) => {
      const path = await written(
        folder,
        `${i}.ts`,
        text.replace("'lightwatch-checkpoint'", library),
      )
      return run(process.execPath, [loader, path], folder)
    })
  },
  Python: (programs, folder) =>
    each(programs, async (text, i) =>
      run(
        repository('bindings/python/build/venv/bin/python'),
        [await written(folder, `${i}.py`, text)],
        folder,
      ),
    ),
  'C++': async (programs, folder) => {
    // The headers take seconds to compile, so the programs are one, and each has its turn.
    const texts = programs.map((text, i) => text.replace('int main()', `void program${i}()`))
    const calls = programs.map((_, i) => `program${i}(); std::cout << "${END}\\n";`).join(' ')
    const source = await written(
      folder,
      'programs.cpp',
      `${texts.join('\n\n')}\n\nint main() { ${calls} }\n`,
    )
    const { stdout } = await execute(
      'sh',
      ['-c', 'sed -n "s/^LIGHTWATCH_FLATBUFFERS_INCLUDE_DIR:.*=//p" CMakeCache.txt'],
      { cwd: repository('bindings/cpp/build') },
    )
    // The compiler's own folder must stay behind its others.
    const flatbuffers = stdout.trim()
    const includes = [
      repository('bindings/cpp/include'),
      repository('bindings/cpp/build/generated'),
      ...(flatbuffers === '/usr/include' ? [] : [flatbuffers]),
    ].flatMap((path) => ['-isystem', path])
    const program = join(folder, 'programs')
    const options = ['-std=c++17', '-Wall', '-Wextra', '-Werror', '-pthread', ...includes]
    await run('c++', [...options, source, '-o', program], folder)
    return (await run(program, [], folder)).split(`${END}\n`).slice(0, -1)
  },
  Rust: async (programs, folder) => {
    const target = repository('bindings/rust/target/release')
    const library = await newest(join(target, 'deps'), /^liblightwatch_checkpoint-.*\.rlib$/)
    return each(programs, async (text, i) => {
      const source = await written(folder, `program${i}.rs`, text)
      const options = [
        '--edition',
        '2021',
        '-D',
        'warnings',
        '-L',
        `dependency=${join(target, 'deps')}`,
      ]
      const program = join(folder, `rust${i}`)
      const linked = ['--extern', `lightwatch_checkpoint=${library}`, '-o', program]
      await run('rustc', [...options, ...linked, source], folder)
      return run(program, [], folder)
    })
  },
  Go: async (programs, folder) => {
    // Inside of the module, in a folder that git ignores.
    const inside = repository('bindings/go/build/programs')
    const built = join(folder, 'go')
    for (const [i, text] of programs.entries()) {
      await mkdir(join(inside, `${i}`), { recursive: true })
      await written(join(inside, `${i}`), 'main.go', text)
    }
    await mkdir(built)
    const packages = programs.map((_, i) => `./build/programs/${i}`)
    await run('go', ['build', '-o', `${built}/`, ...packages], repository('bindings/go'))
    return each(programs, (_, i) => run(join(built, `${i}`), [], folder))
  },
  Java: async (programs, folder) => {
    const path = ['target/classes', 'target/dependency/*']
      .map((part) => repository(`bindings/java/${part}`))
      .join(':')
    // Each under a name of its own, so that one start of the compiler is enough.
    const sources = await Promise.all(
      programs.map((text, i) =>
        written(folder, `ReadTensor${i}.java`, text.replace('class ReadTensor', `$&${i}`)),
      ),
    )
    await run('javac', ['-Xlint:all', '-Werror', '-cp', path, '-d', folder, ...sources], folder)
    return each(programs, (_, i) =>
      run('java', ['-cp', `${folder}:${path}`, `ReadTensor${i}`], folder),
    )
  },
}

// Ends what one of the programs prints.
const END = '=== end'

async function each(
  programs: readonly string[],
  runOne: (text: string, i: number) => Promise<string>,
): Promise<string[]> {
  const printed: string[] = []
  for (const [i, text] of programs.entries()) printed.push(await runOne(text, i))
  return printed
}

async function run(program: string, args: readonly string[], cwd: string): Promise<string> {
  const { stdout } = await execute(program, args, { cwd })
  return stdout
}

async function written(folder: string, name: string, text: string): Promise<string> {
  const path = join(folder, name)
  await writeFile(path, text)
  return path
}

async function newest(folder: string, name: RegExp): Promise<string> {
  const found = (await readdir(folder)).filter((each) => name.test(each))
  const paths = found.map((each) => join(folder, each))
  const times = await Promise.all(paths.map(async (path) => (await stat(path)).mtimeMs))
  const path = paths[times.indexOf(Math.max(...times))]
  if (path === undefined) throw new Error(`expected a file ${name} in ${folder}, found none`)
  return path
}
