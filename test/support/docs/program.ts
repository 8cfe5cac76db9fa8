/**
 * The code of a guide as a program: its blocks one after another, as JavaScript that Node 20 runs, in a
 * folder where the library is installed as a user has it.
 */

import { execFile } from 'node:child_process'
import { mkdir, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { transform } from 'esbuild'
import { digits, installPackages, jax } from '../../../scripts/install-packages.js'
import { bucketNamed, s3Server } from '../s3/bucket.js'
import { type Block, blocksOf } from './markdown.js'

const run = promisify(execFile)
const root = fileURLToPath(new URL('../../..', import.meta.url))

const LANGUAGES = new Set(['ts', 'js'])
const TIMEOUT_MS = 120_000

export interface Program {
  /** The blocks without a note of their own, one after another. */
  readonly source: string
  /** The same for a browser: with the blocks after `<!-- in a browser -->`. Empty if there are none. */
  readonly browser: string
  /** Blocks after `<!-- file: NAME -->`: modules that the program imports or starts. */
  readonly files: ReadonlyMap<string, string>
  /** What `console.log` prints, by the comments `// prints …`. */
  readonly prints: readonly string[]
  /** The reasons why something is not run: `<!-- not run: REASON -->`. */
  readonly reasons: readonly string[]
}

/** The program that a page holds. Throws an Error for a note that means nothing. */
export function programOf(page: string): Program {
  const files = new Map<string, string>()
  const main: Block[] = []
  const browser: Block[] = []
  for (const block of blocksOf(page)) {
    if (!LANGUAGES.has(block.language)) continue
    if (block.note === 'in a browser') {
      browser.push(block)
      continue
    }
    const [, kind, text] = /^(not run|file): *(.*)$/.exec(block.note ?? '') ?? []
    if (block.note !== undefined && !text) {
      throw new Error(
        `line ${block.line}: a note says "not run: REASON", "file: NAME" or "in a browser"`,
      )
    }
    if (kind === 'file') files.set(text!, (files.get(text!) ?? '') + block.code)
    else if (kind === undefined) main.push(block)
  }
  const joined = (blocks: readonly Block[]) => blocks.map(({ code }) => code).join('\n')
  const source = joined(main)
  return {
    source,
    browser: browser.length === 0 ? '' : joined([...main, ...browser]),
    files,
    prints: printsOf(source),
    reasons: Array.from(page.matchAll(/<!-- not run: (.+?) -->/gs), ([, reason]) => reason!),
  }
}

/** The lines that a source says it prints. */
export function printsOf(source: string): string[] {
  return Array.from(source.matchAll(/(?:\/\/|#) prints (.*?) *$/gm), ([, text]) => text!)
}

/** Frameworks that a program imports: who has them, and which packages to link. */
const FRAMEWORKS = [
  { name: '@tensorflow', example: digits },
  { name: '@jax-js', example: jax },
]

/** `@tensorflow/tfjs` has the core and the layers in one namespace, with a backend; the example has the parts. */
const TENSORFLOW = `export * from '@tensorflow/tfjs-core'
export * from '@tensorflow/tfjs-layers'
import '@tensorflow/tfjs-backend-cpu'
`

/** The client of buckets that a program imports, from this project's own development. */
const SDK = '@aws-sdk'

/** The bucket of the guides, on a server of this machine. */
const BUCKET = 'my-bucket'

const codeOf = ({ source, files }: Program) => [source, ...files.values()].join('\n')

/** Whether a program works on a bucket, by the AWS SDK. */
export function needsBucket(program: Program): boolean {
  return codeOf(program).includes(`'${SDK}/`)
}

/** What a program finds in its environment: that of the SDK, if it imports that. */
async function environmentOf(program: Program): Promise<NodeJS.ProcessEnv> {
  if (!needsBucket(program)) return process.env
  await bucketNamed(BUCKET)
  return { ...process.env, ...(await s3Server()).environment }
}

/** Installs what a program imports into `folder`: the library as it is built, and frameworks. */
async function install(program: Program, folder: string): Promise<void> {
  const modules = join(folder, 'node_modules')
  await mkdir(modules)
  await writeFile(join(folder, 'package.json'), '{ "private": true, "type": "module" }')
  await symlink(root, join(modules, 'lightwatch-checkpoint'), 'junction')
  const code = codeOf(program)
  if (code.includes(`'${SDK}/`)) {
    await symlink(join(root, 'node_modules', SDK), join(modules, SDK), 'junction')
  }
  for (const { name, example } of FRAMEWORKS) {
    if (!code.includes(`'${name}/`)) continue
    await installPackages(example)
    const own = join(example, 'node_modules', name)
    if (!code.includes("'@tensorflow/tfjs'") || name !== '@tensorflow') {
      await symlink(own, join(modules, name), 'junction')
      continue
    }
    for (const part of ['tfjs-core', 'tfjs-layers', 'tfjs-backend-cpu', 'tfjs-backend-wasm']) {
      await mkdir(join(modules, name), { recursive: true })
      await symlink(join(own, part), join(modules, name, part), 'junction')
    }
    const whole = join(modules, name, 'tfjs')
    await mkdir(whole)
    await writeFile(join(whole, 'package.json'), '{ "type": "module", "main": "index.js" }')
    await writeFile(join(whole, 'index.js'), TENSORFLOW)
  }
}

async function compile(source: string): Promise<string> {
  const { code } = await transform(source, {
    loader: 'ts',
    format: 'esm',
    // Lowers `await using`, which Node 20 does not have.
    target: 'node20',
    tsconfigRaw: { compilerOptions: { verbatimModuleSyntax: true } },
  })
  return code
}

/** Runs a program in an empty folder, and returns what it printed. Rejects if it fails. */
export async function runProgram(program: Program, folder: string): Promise<string> {
  await install(program, folder)
  await writeFile(join(folder, 'guide.js'), await compile(program.source))
  for (const [name, source] of program.files) {
    await writeFile(join(folder, name.replace(/\.ts$/, '.js')), await compile(source))
  }
  const env = await environmentOf(program)
  const options = { cwd: folder, timeout: TIMEOUT_MS, env }
  const { stdout } = await run(process.execPath, ['guide.js'], options)
  return stdout
}

/** The first of `lines` that was not printed after the one before it. `…` stands for any text. */
export function firstNotPrinted(lines: readonly string[], printed: string): string | undefined {
  const output = printed.split('\n')
  let at = 0
  for (const line of lines) {
    const pattern = new RegExp(
      `^${line.replace(/[.*+?^${}()|[\]\\]/g, '\\$&').replaceAll('…', '.*')}\\s*$`,
    )
    while (at < output.length && !pattern.test(output[at]!)) at++
    if (at++ >= output.length) return line
  }
  return undefined
}
