import { type ChildProcess, spawn } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { loadsTypeScript } from '../support/child.js'
import { damage, saveNames, saveSample } from '../support/cli/sample-checkpoint.js'
import { requires } from '../support/requires.js'
import { scratchFolder } from '../support/scratch.js'

const COMMAND = [process.execPath, loadsTypeScript, 'src/cli/main.ts'] as const

interface Outcome {
  readonly code: number | null
  readonly out: string
  readonly err: string
}

async function outcome(child: ChildProcess): Promise<Outcome> {
  let out = ''
  let err = ''
  child.stdout?.setEncoding('utf8').on('data', (text) => {
    out += text
  })
  child.stderr?.setEncoding('utf8').on('data', (text) => {
    err += text
  })
  const code = await new Promise<number | null>((resolve, reject) => {
    child.on('error', reject).on('close', resolve)
  })
  return { code, out, err }
}

const ckpt = (...argv: string[]): Promise<Outcome> =>
  outcome(spawn(COMMAND[0], [...COMMAND.slice(1), ...argv]))

const shell = (script: string, ...argv: string[]): Promise<Outcome> =>
  outcome(spawn('sh', ['-c', script, ...COMMAND, ...argv]))

const posix = requires(test, 'posix')

test('the process exits with 0, 1 or 2', async (t) => {
  const folder = await scratchFolder(t)
  const good = join(folder, 'good.ckpt')
  const bad = join(folder, 'bad.ckpt')
  await saveSample(good)
  await saveSample(bad)
  await damage(bad, 'optimizer', 'exp_avg/wte.weight')

  const inspect = await ckpt('inspect', good)
  t.is(inspect.code, 0)
  t.is(inspect.err, '')
  t.true(inspect.out.startsWith(`${good}\n\nepoch     3\n`))

  const sound = await ckpt('verify', good)
  t.is(sound.code, 0)
  t.regex(sound.out, /: ok, 6\.3 KiB, 8 tensors, [\d.]+ s, [\d.]+ \w+\/s\n$/)

  const damaged = await ckpt('verify', good, bad)
  t.is(damaged.code, 1)
  t.is(damaged.err, 'ckpt: 1 of 2 files failed verification\n')

  const missing = await ckpt('inspect', join(folder, 'missing'))
  t.is(missing.code, 1)
  t.is(missing.out, '')
  t.is(missing.err.split('\n').length, 2)

  const wrong = await ckpt('inspect')
  t.is(wrong.code, 2)
  t.is(wrong.out, '')
  t.regex(wrong.err, /^ckpt: inspect needs a file\nusage: /)

  const version = await ckpt('--version')
  t.is(version.code, 0)
  t.regex(version.out, /^lightwatch-checkpoint \d+\.\d+\.\d+/)
})

const MANY = Array.from({ length: 20_000 }, (_, i) => `layers.${i}.weight`)

posix('a reader that closes the pipe ends inspect quietly', async (t) => {
  const file = join(await scratchFolder(t), 'a.ckpt')
  await saveNames(file, MANY)
  for (const flags of [[], ['--json']]) {
    // The shell reports the exit code of the command itself, behind the one line that was read.
    const { out, err } = await shell(
      '{ "$0" "$@"; echo "exit $?" >&2; } | head -n 1',
      'inspect',
      file,
      ...flags,
    )
    t.is(out, flags.length === 0 ? `${file}\n` : '{\n')
    t.is(err, 'exit 0\n')
  }
})

posix('a reader that closes the pipe ends verify quietly, and not with success', async (t) => {
  const file = join(await scratchFolder(t), 'a.ckpt')
  await saveSample(file)
  const { err } = await shell(
    '{ sleep 0.2; "$0" "$@"; echo "exit $?" >&2; } | true',
    'verify',
    file,
    file,
    file,
  )
  t.is(err, 'exit 1\n')
})

test('a reader that exits in the middle is not an error', async (t) => {
  const file = join(await scratchFolder(t), 'a.ckpt')
  await saveNames(file, MANY)
  const child = spawn(COMMAND[0], [...COMMAND.slice(1), 'inspect', file])
  child.stdout.once('data', () => child.stdout.destroy())
  const { code, err } = await outcome(child)
  t.is(code, 0)
  t.is(err, '')
})

const full = requires(test, 'file:/dev/full')

full('an output that cannot be written is an error', async (t) => {
  const file = join(await scratchFolder(t), 'a.ckpt')
  await saveSample(file)
  const { code, err } = await shell('exec "$0" "$@" > /dev/full', 'inspect', file)
  t.is(code, 1)
  t.regex(err, /^ckpt: the output could not be written: ENOSPC.*\n$/)
})

posix('a pipe or a device is refused at once, without waiting', async (t) => {
  const folder = await scratchFolder(t)
  const { code, err } = await shell(
    'mkfifo "$4/pipe" && exec "$0" "$1" "$2" verify "$4/pipe" /dev/null',
    'verify',
    folder,
  )
  t.is(code, 1)
  t.is(err, 'ckpt: 2 of 2 files failed verification\n')
})

test('a file that is not a checkpoint is one line, without a stack', async (t) => {
  const file = join(await scratchFolder(t), 'model.safetensors')
  await writeFile(file, `\u0010\0\0\0\0\0\0\0{"__metadata__":{}}`)
  const { code, out, err } = await ckpt('inspect', file)
  t.is(code, 1)
  t.is(out, '')
  t.true(err.startsWith(`ckpt: ${file}: `))
  t.regex(err, /^.*safetensors.*\n$/)
})
