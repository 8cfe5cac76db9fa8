import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import {
  binaryFromJson,
  FlatcError,
  flatc,
  flatcVersion,
  jsonFromBinary,
  outputOf,
} from '../../scripts/flatc.js'
import { requires } from '../support/requires.js'

const SCHEMA = `table Note { text:string; number:double; bytes:[ubyte]; }
root_type Note;
file_identifier "NOTE";
file_extension "note";`

const NOTE = { text: 'naïve 🎉', number: 0.1, bytes: [0, 127, 255] }

/** A program for $FLATC, made of lines of shell, for the length of a test. */
async function useProgram(t: ExecutionContext, ...lines: string[]): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'flatc-test-'))
  const before = process.env.FLATC
  t.teardown(() => {
    if (before === undefined) delete process.env.FLATC
    else process.env.FLATC = before
    return rm(folder, { recursive: true, force: true })
  })
  process.env.FLATC = join(folder, 'flatc')
  await writeFile(process.env.FLATC, ['#!/bin/sh', ...lines, ''].join('\n'))
  await chmod(process.env.FLATC, 0o755)
}

// One after the other: $FLATC is there for all of them at once.
const posixTest = requires(test.serial, 'posix')

test.serial('JSON becomes a FlatBuffer, and comes back', async (t) => {
  const binary = await binaryFromJson(SCHEMA, JSON.stringify(NOTE))
  t.is(Buffer.from(binary.subarray(4, 8)).toString(), 'NOTE')
  t.deepEqual(JSON.parse(await jsonFromBinary(SCHEMA, binary)), NOTE)
})

test.serial('options go to flatc', async (t) => {
  const binary = await binaryFromJson(SCHEMA, '{}')
  t.deepEqual(JSON.parse(await jsonFromBinary(SCHEMA, binary, ['--defaults-json'])), { number: 0 })
  const forced = await binaryFromJson(SCHEMA, '{number: 0}', ['--force-defaults'])
  t.true(forced.length > binary.length)
})

test.serial('a FlatBuffer with another identifier is refused', async (t) => {
  const binary = await binaryFromJson(SCHEMA.replace('"NOTE"', '"MEMO"'), '{}')
  await t.throwsAsync(jsonFromBinary(SCHEMA, binary), { instanceOf: FlatcError })
})

test.serial('JSON that does not fit the schema is refused', async (t) => {
  const error = await t.throwsAsync(binaryFromJson(SCHEMA, '{ texts: "" }'), {
    instanceOf: FlatcError,
  })
  t.regex(error.output, /^error:\s+input\.json:1: .*texts/)
})

test.serial('a syntax error of the schema is an error with the file and line', async (t) => {
  const error = await t.throwsAsync(
    flatc(['--ts', 'folder/bad.fbs'], { 'folder/bad.fbs': 'table A {\n  x int;\n}' }),
    { instanceOf: FlatcError },
  )
  t.regex(error.message, /^flatc --ts folder\/bad\.fbs failed:\nerror:\s+folder\/bad\.fbs:2: /)
  t.deepEqual(error.args, ['--ts', 'folder/bad.fbs'])
  await t.throwsAsync(flatc(['--ts', 'none.fbs'], {}), { message: /none\.fbs/ })
  await t.throwsAsync(flatc(['--no-such-option'], {}), { instanceOf: FlatcError })
})

test.serial('its outputs are distinguished from its inputs', async (t) => {
  const result = await flatc(['--ts', '-o', 'out', 'note.fbs'], { 'note.fbs': SCHEMA })
  t.false(result.files.has('note.fbs'))
  const paths = [...result.files.keys()]
  t.true(paths.length > 0 && paths.every((path) => path.startsWith('out/')), paths.join())
  t.throws(() => outputOf(result, 'out/other.ts'), {
    message: /to write out\/other\.ts, and wrote out\/note/,
  })
})

test.serial('a path outside the folder is refused', async (t) => {
  for (const path of ['/etc/note.fbs', '../note.fbs', 'a/../../note.fbs']) {
    await t.throwsAsync(flatc(['--ts', path], { [path]: SCHEMA }), { instanceOf: RangeError })
  }
})

posixTest('$FLATC is the program that runs, on the same inputs', async (t) => {
  await useProgram(t, 'mkdir out', 'cat "$1" > out/copy.fbs', 'echo "made $PWD/out/copy.fbs"')
  const result = await flatc(['a/note.fbs'], { 'a/note.fbs': SCHEMA })
  t.deepEqual([...result.files.keys()], ['out/copy.fbs'])
  t.is(Buffer.from(outputOf(result, 'out/copy.fbs')).toString(), SCHEMA)
  t.is(result.stdout, 'made out/copy.fbs')
})

posixTest('the version is the one of $FLATC', async (t) => {
  await useProgram(t, 'echo "flatc version 1.12.0 (abc)"')
  t.is(await flatcVersion(), '1.12.0')
})

posixTest('an exit code, a signal and a missing program are errors', async (t) => {
  await useProgram(t, 'exit 3')
  await t.throwsAsync(flatc(['--ts'], {}), { instanceOf: FlatcError, message: /exit code 3/ })
  await useProgram(t, 'kill -9 $$')
  await t.throwsAsync(flatc(['--ts'], {}), { instanceOf: FlatcError, message: /SIGKILL/ })
  process.env.FLATC = '/no/such/flatc'
  await t.throwsAsync(flatc(['--ts'], {}), { instanceOf: FlatcError, message: /ENOENT/ })
})

posixTest('an error that is only printed is an error', async (t) => {
  await useProgram(t, 'echo "error: printed"', 'exit 0')
  await t.throwsAsync(flatc(['--ts'], {}), { instanceOf: FlatcError, message: /printed/ })
  await useProgram(t, 'echo "error: printed" >&2', 'exit 0')
  await t.throwsAsync(flatc(['--ts'], {}), { instanceOf: FlatcError, message: /printed/ })
})
