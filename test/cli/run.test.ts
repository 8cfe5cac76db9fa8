import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { errorText } from '../../src/cli/terminal.js'
import { runFake } from '../support/cli/fake-terminal.js'
import { scratchFolder } from '../support/scratch.js'

const USAGE = `usage: ckpt inspect FILE [--json]
       ckpt verify FILE... [--json]
       ckpt diff FILE FILE [--tensors] [--quick] [--json] [--exit-code]
       ckpt log FOLDER [--health] [--json]
       ckpt latest FOLDER
       ckpt convert IN OUT [OPTIONS]
       ckpt view FILE|FOLDER|URL [--no-open]
       ckpt help [COMMAND]
`

test('--help lists the commands and options', async (t) => {
  const { code, out, err } = await runFake(['--help'])
  t.is(code, 0)
  t.is(err, '')
  t.true(out.startsWith('Looks into checkpoints'))
  for (const command of ['inspect', 'verify', 'diff', 'log', 'latest', 'convert', 'view', 'help'])
    t.regex(out, new RegExp(`^  ${command} `, 'm'))
  t.deepEqual(await runFake(['-h']), { code, out, err })
  t.deepEqual(await runFake(['help']), { code, out, err })
})

test('each command has a help of its own', async (t) => {
  for (const command of ['inspect', 'verify', 'diff', 'log', 'latest', 'convert', 'view', 'help']) {
    const help = await runFake(['help', command])
    t.is(help.code, 0)
    t.true(help.out.includes(`\nusage: ckpt ${command} `))
    t.true(help.out.split('\n').every((line) => line.length <= 80))
    if (command === 'help') continue
    t.deepEqual(await runFake([command, '--help']), help)
    t.deepEqual(await runFake([command, 'no-such-file', '-h']), help)
  }
})

test('--version names the package and the format', async (t) => {
  const { version } = JSON.parse(await readFile('package.json', 'utf8'))
  t.deepEqual(await runFake(['--version']), {
    code: 0,
    out: `lightwatch-checkpoint ${version}, format 1\n`,
    err: '',
  })
})

test('a wrong call prints the mistake and the usage, and exits with 2', async (t) => {
  const inspect = 'usage: ckpt inspect FILE [--json]\ntry:   ckpt help inspect\n'
  const verify = 'usage: ckpt verify FILE... [--json]\ntry:   ckpt help verify\n'
  for (const [argv, message, usage] of [
    [[], 'a command is missing', USAGE],
    [['show'], 'there is no command "show"', USAGE],
    [['a\u001b[2J'], 'there is no command "a\\u{1b}[2J"', USAGE],
    [['--verbose'], 'there is no option "--verbose"', USAGE],
    [['__proto__'], 'there is no command "__proto__"', USAGE],
    [['help', 'toString'], 'there is no command "toString"', USAGE],
    [['help', 'verify', 'me'], 'help takes one command', USAGE],
    [['inspect'], 'inspect needs a file', inspect],
    [['inspect', ''], 'the name of a file is empty', inspect],
    [['inspect', 'a', 'b', 'c'], 'inspect takes one file, not 3', inspect],
    [['verify'], 'verify needs a file', verify],
  ] as const) {
    t.deepEqual(await runFake(argv), { code: 2, out: '', err: `ckpt: ${message}\n${usage}` })
  }
})

test('a location that no file system knows is named with the remedy, by each command', async (t) => {
  for (const argv of [
    ['inspect', 'gs://bucket/a.ckpt'],
    ['verify', 'gs://bucket/a.ckpt'],
    ['log', 'gs://bucket/run'],
    ['convert', 'gs://bucket/a.ckpt', 'a.npz'],
  ]) {
    const { code, out, err } = await runFake(argv)
    t.is(code, 1, argv[0])
    t.regex(out + err, /found "gs:\/\/bucket.*https: address/)
  }
})

test('an option that a command does not have is named, and so is one with a value', async (t) => {
  for (const [argv, option] of [
    [['inspect', 'a', '--yaml'], '--yaml'],
    [['inspect', 'a', '-j'], '-j'],
    [['inspect', 'a', '--json=yes'], '--json'],
    [['inspect', 'a', '--no-json'], '--no-json'],
    [['verify', '--jsn', 'a'], '--jsn'],
    [['verify', '--a\u001b[2J', 'a'], '--a\\u{1b}[2J'],
  ] as const) {
    const { code, out, err } = await runFake(argv)
    t.is(code, 2)
    t.is(out, '')
    t.true(err.startsWith('ckpt: '))
    t.true(err.includes(`'${option}'`), err)
    t.true(
      err.endsWith(
        `\nusage: ckpt ${argv[0]} FILE${argv[0] === 'verify' ? '...' : ''} [--json]\ntry:   ckpt help ${argv[0]}\n`,
      ),
    )
  }
})

test('everything after -- is a file, whatever it looks like', async (t) => {
  const { code, err } = await runFake(['inspect', '--', '--json'])
  t.is(code, 1)
  t.regex(err, /^ckpt: --json: .*ENOENT/)
})

test('CKPT_DEBUG adds the stack, the fields and the causes', async (t) => {
  const file = join(await scratchFolder(t), 'missing')
  const plain = await runFake(['inspect', file])
  t.is(plain.err.split('\n').length, 2)
  const { code, err } = await runFake(['inspect', file], { env: { CKPT_DEBUG: '1' } })
  t.is(code, 1)
  t.true(err.startsWith(plain.err))
  t.regex(err, /^CheckpointError: .*\n {4}at /m)
  t.regex(err, /^ {2}code: 'CKPT_READ',$/m)
  t.regex(err, /\[cause\]: .*Error: ENOENT/)

  const verify = await runFake(['verify', file], { env: { CKPT_DEBUG: '1' } })
  t.regex(verify.err, /^CheckpointError: .*\n {4}at /m)
})

test('no message can steer a terminal, whatever it quotes', (t) => {
  t.is(errorText(new Error('bad \u001b[2J\nname')), 'bad \\u{1b}[2J\\u{a}name')
  t.is(errorText('\u202e'), '\\u{202e}')
  t.is(errorText(new RangeError()), 'RangeError')
})
