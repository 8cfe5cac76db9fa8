import { spawnSync } from 'node:child_process'
import { chmod, cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import test, { type ExecutionContext } from 'ava'
import { generate, readGenerated } from '../../scripts/generated.js'
import { checkConformity, isReleased } from '../../scripts/released.js'
import { loadsTypeScript } from '../support/child.js'
import { requires } from '../support/requires.js'

const project = fileURLToPath(new URL('../..', import.meta.url))
const schema = await readFile(join(project, 'schema/checkpoint.fbs'), 'utf8')

/** What a project has beside its schema. */
const beside: Record<string, string> = {}
for (const path of ['schema/tables.json', 'docs/format.md']) {
  beside[path] = await readFile(join(project, path), 'utf8')
}

/** The schema after an edit, which has to change something. */
function edit(from: string, to: string): string {
  const edited = schema.replace(from, () => to)
  if (edited === schema) throw new Error(`the schema has no ${from}`)
  return edited
}

/** A folder with these files, by path, and those beside a schema; it is gone after the test. */
async function folderOf(t: ExecutionContext, files: Record<string, string>): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'gen-test-'))
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  await mkdir(join(folder, 'schema/released'), { recursive: true })
  for (const [path, text] of Object.entries({ ...beside, ...files })) {
    await mkdir(dirname(join(folder, path)), { recursive: true })
    await writeFile(join(folder, path), text)
  }
  return folder
}

function run(script: string, folder: string, env: NodeJS.ProcessEnv = {}, ...args: string[]) {
  const program = join(project, 'scripts', script)
  return spawnSync(process.execPath, [loadsTypeScript, program, ...args, folder], {
    cwd: project,
    encoding: 'utf8',
    env: { ...process.env, ...env },
  })
}

const sorted = (files: ReadonlyMap<string, string>) => Object.fromEntries([...files].sort())

/** The files of generated code in a folder. */
async function codeIn(folder: string): Promise<Record<string, string>> {
  const { 'docs/format.md': _, ...code } = sorted(await readGenerated(folder))
  return code
}

test('writes files that are missing or different, and removes files that are no longer generated', async (t) => {
  const folder = await folderOf(t, {
    'schema/checkpoint.fbs': schema,
    'generated/description.ts': 'stale',
    'generated/lightwatch/format/no-longer.ts': 'stale',
    'generated/format.ts': 'stale',
    'bindings/go/internal/format/NoLonger.go': 'stale',
    'bindings/go/no_longer.go': '// Generated once; do not edit: npm run gen\n',
    'bindings/go/by_hand.go': 'package checkpoint\n',
    'docs/format.md': beside['docs/format.md']!.replace(/^\| `uint8` .*\n/m, ''),
  })
  const { status, stderr } = run('gen.ts', folder)
  t.is(status, 0, stderr)
  t.deepEqual(sorted(await readGenerated(folder)), sorted(await readGenerated(project)))
  t.is(await readFile(join(folder, 'bindings/go/by_hand.go'), 'utf8'), 'package checkpoint\n')
})

test('a mistake in the schema is reported with its line, and nothing is written', async (t) => {
  const broken = edit('epoch:long;', 'epoch:lung;')
  const line = broken.split('\n').findIndex((text) => text.includes('epoch:lung;')) + 1
  const folder = await folderOf(t, {
    'schema/checkpoint.fbs': broken,
    'generated/description.ts': 'as it was',
    'generated/stale.ts': 'as it was',
  })
  const { status, stdout, stderr } = run('gen.ts', folder)
  t.is(status, 1)
  t.true(stderr.includes(`lung, originally at: schema/checkpoint.fbs:${line}`), stderr)
  t.is(stdout, '')
  t.deepEqual(await codeIn(folder), {
    'generated/description.ts': 'as it was',
    'generated/stale.ts': 'as it was',
  })
})

test('a syntax error is reported with the line that it is in', async (t) => {
  const broken = edit('epoch:long;', 'epoch long;')
  const line = broken.split('\n').findIndex((text) => text.includes('epoch long;')) + 1
  const folder = await folderOf(t, { 'schema/checkpoint.fbs': broken })
  const error = await t.throwsAsync(generate(folder))
  t.true(error.message.includes(`schema/checkpoint.fbs:${line}: `), error.message)
})

test('a schema that the verifier could not follow is refused by table and field', async (t) => {
  const folder = await folderOf(t, {
    'schema/checkpoint.fbs': edit('config:string;', 'config:[ubyte] (nested_flatbuffer: "State");'),
  })
  await t.throwsAsync(generate(folder), { message: /lightwatch\.format\.Checkpoint\.config/ })
})

const NOT_TOLD: [what: string, files: () => Record<string, string>, message: RegExp][] = [
  [
    'a dtype of which nothing says how wide it is',
    () => ({ 'schema/checkpoint.fbs': edit('float64 = 1', 'float96 = 99, float64 = 1') }),
    /how wide a float96 is/,
  ],
  [
    'the width of a dtype that the schema has not',
    () => ({ 'schema/checkpoint.fbs': edit('float64 = 1,', '') }),
    /the dtype float64, which the schema has not/,
  ],
  [
    "a field that not every language's verifier knows",
    () => ({ 'schema/checkpoint.fbs': edit('extras:[State];', 'extras:[State]; tags:[string];') }),
    /Checkpoint\.tags/,
  ],
  [
    'a document without a place for the dtypes',
    () => ({ 'docs/format.md': 'dtypes are left to the reader' }),
    /docs\/format\.md has no place/,
  ],
]

for (const [what, files, message] of NOT_TOLD) {
  test(`refuses ${what}`, async (t) => {
    const folder = await folderOf(t, { 'schema/checkpoint.fbs': schema, ...files() })
    await t.throwsAsync(generate(folder), { message })
  })
}

test('a schema that does not conform to a release generates nothing', async (t) => {
  const folder = await folderOf(t, {
    'schema/checkpoint.fbs': edit('epoch:long;', ''),
    'schema/released/0.1.0.fbs': schema,
    'generated/description.ts': 'as it was',
  })
  const { status, stderr } = run('gen.ts', folder)
  t.is(status, 1)
  t.regex(stderr, /does not conform to schema\/released\/0\.1\.0\.fbs/)
  t.deepEqual(await codeIn(folder), {
    'generated/description.ts': 'as it was',
  })
})

const NOT_CONFORMING: [what: string, from: string, to: string, message: RegExp][] = [
  ['a field removed in the middle', 'epoch:long;', '', /Checkpoint\.step/],
  ['a field removed at the end', 'saved_at:ulong = null;', '', /Checkpoint\.saved_at/],
  [
    'fields reordered',
    'metadata_length:uint;',
    'swapped:uint; metadata_length:uint;',
    /Checkpoint\.metadata_length/,
  ],
  ['a field retyped', 'epoch:long;', 'epoch:double;', /Checkpoint\.epoch/],
  ['the sign of a field changed', 'crc32:uint;', 'crc32:int;', /Tensor\.crc32/],
  ['the elements of a vector retyped', 'shape:[ulong]', 'shape:[uint]', /Tensor\.shape/],
  ['a vector of other tables', 'extras:[State];', 'extras:[Tensor];', /Checkpoint\.extras/],
  ['a default changed', 'step:long;', 'step:long = 1;', /Checkpoint\.step/],
  ['a scalar no longer optional', 'loss:double = null;', 'loss:double;', /Checkpoint\.loss/],
  ['a number of an enum changed', 'uint64 = 23', 'uint64 = 99', /uint64/],
  ['a value of an enum removed', 'uint64 = 23,', '', /DType\.uint64 is gone/],
  ['a number of an enum reused', 'uint64 = 23', 'uint65 = 23', /DType\.uint64 is gone/],
  [
    'a field newly required',
    'optimizer:State;',
    'optimizer:State (required);',
    /Checkpoint\.optimizer is required/,
  ],
  [
    'a field appended that is required',
    'saved_at:ulong = null;',
    'saved_at:ulong = null; note:string (required);',
    /Checkpoint\.note is required/,
  ],
  [
    'a field no longer required',
    'model:State (required);',
    'model:State;',
    /Checkpoint\.model was required/,
  ],
  [
    'a required field deprecated',
    'model:State (required);',
    'model:State (deprecated);',
    /Checkpoint\.model was required/,
  ],
  ['a segment that is none', 'data:[ubyte] (segment);', 'data:[ubyte];', /Tensor\.data/],
  [
    'another identifier',
    'identifier "LWCK"',
    'identifier "LWCL"',
    /identifier was LWCK and is LWCL/,
  ],
  ['another root', 'root_type Checkpoint', 'root_type State', /root was Checkpoint and is State/],
  [
    'another namespace',
    'namespace lightwatch.format',
    'namespace lightwatch.other',
    /lightwatch\.format\.Checkpoint is gone/,
  ],
]

for (const [what, from, to, message] of NOT_CONFORMING) {
  test(`does not conform to a release: ${what}`, async (t) => {
    const released = new Map([['schema/released/0.1.0.fbs', schema]])
    const error = await t.throwsAsync(checkConformity(edit(from, to), released))
    t.regex(error.message, /does not conform to schema\/released\/0\.1\.0\.fbs/)
    t.regex(error.message, message)
  })
}

const CONFORMING: [what: string, from: string, to: string][] = [
  ['a field appended', 'saved_at:ulong = null;', 'saved_at:ulong = null; note:string;'],
  ['a value appended to an enum', 'complex128 = 26', 'complex128 = 26, int256 = 99'],
  ['a table added', 'root_type', 'table Note { text:string (required); } root_type'],
  ['an optional field deprecated', 'config:string;', 'config:string (deprecated);'],
  ['a comment changed', '/// Optimizer steps taken.', '/// Steps.'],
]

for (const [what, from, to] of CONFORMING) {
  test(`conforms to a release: ${what}`, async (t) => {
    await t.notThrowsAsync(checkConformity(edit(from, to), new Map([['0.1.0.fbs', schema]])))
  })
}

test('a schema has to be among the released ones before it is published', async (t) => {
  const folder = await folderOf(t, { 'schema/checkpoint.fbs': schema })
  const before = run('check-release.ts', folder, {}, '--schema-only')
  t.is(before.status, 1)
  t.regex(before.stderr, /schema\/released/)
  await cp(join(folder, 'schema/checkpoint.fbs'), join(folder, 'schema/released/0.1.0.fbs'))
  const after = run('check-release.ts', folder, {}, '--schema-only')
  t.is(after.status, 0, after.stderr)
})

test('only the content of a released schema counts, not its comments', async (t) => {
  const released = new Map([['0.1.0.fbs', schema]])
  t.true(await isReleased(edit('/// Optimizer steps taken.', '/// Steps.'), released))
  t.false(await isReleased(edit('extras:[State];', 'extras:[State]; note:string;'), released))
  t.false(await isReleased(schema, new Map()))
})

/** A flatc that prints `version` when it is asked for it, and says that all went well otherwise. */
function idleFlatc(version: string): string {
  return `#!/bin/sh\n[ "$1" = --version ] && echo "flatc version ${version}"\nexit 0\n`
}

const posixTest = requires(test, 'posix')

posixTest('a flatc of another version than the runtime is refused', async (t) => {
  const folder = await folderOf(t, {
    'schema/checkpoint.fbs': schema,
    flatc: idleFlatc('2.0.8'),
  })
  const FLATC = join(folder, 'flatc')
  await chmod(FLATC, 0o755)
  const { status, stderr } = run('gen.ts', folder, { FLATC })
  t.is(status, 1)
  t.regex(stderr, /expected .* 25\.9\.23, got 2\.0\.8/)
})

posixTest('a flatc that claims success and writes nothing is noticed', async (t) => {
  const folder = await folderOf(t, {
    'schema/checkpoint.fbs': schema,
    flatc: idleFlatc('25.9.23'),
    'generated/description.ts': 'as it was',
  })
  const FLATC = join(folder, 'flatc')
  await chmod(FLATC, 0o755)
  const { status, stderr } = run('gen.ts', folder, { FLATC })
  t.is(status, 1)
  t.regex(stderr, /flatc was to write checkpoint\.bfbs/)
  t.deepEqual(await codeIn(folder), {
    'generated/description.ts': 'as it was',
  })
})
