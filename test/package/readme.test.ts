import { readdir, readFile } from 'node:fs/promises'
import test from 'ava'
import { MemorySink, saveCheckpoint } from '../../src/index.js'

const read = (path: string) => readFile(new URL(`../../${path}`, import.meta.url), 'utf8')

test('each row of the table of policies has a test of the same name, and each such test a row', async (t) => {
  const [, table] =
    /^\| policy \|.*\n\|---.*\n((?:\|.*\n)+)/m.exec(await read('docs/guide/manager.md')) ?? []
  const rows = [...(table ?? '').matchAll(/^\| (.*?) \| /gm)].map(([, row]) => row!)
  const source = await read('test/manager/policies.test.ts')
  const titles = [...source.matchAll(/^test(?:\.serial)?\(\s*(['"`])((?:\\.|(?!\1).)*)\1/gm)]
  const names = titles.map(([, , title]) => title!.replace(/\\(.)/g, '$1'))
  t.true(rows.length > 20)
  t.deepEqual(names.sort(), rows.sort())
})

test('every command that a page gives is a script of the package', async (t) => {
  const { scripts } = JSON.parse(await read('package.json'))
  const guides = (await readdir(new URL('../../docs/guide', import.meta.url))).map(
    (name) => `docs/guide/${name}`,
  )
  for (const page of ['README.md', 'CONTRIBUTING.md', 'test/README.md', ...guides]) {
    for (const [, name] of (await read(page)).matchAll(/npm run ([\w:]+)/g)) {
      t.true(Object.hasOwn(scripts, name!), `${page}: ${name}`)
    }
  }
})

test('the README fits into 150 lines', async (t) => {
  t.true((await read('README.md')).split('\n').length <= 151)
})

test('a file is its tensors plus some 150 bytes for each, as the guide to the format says', async (t) => {
  for (const elements of [1, 7, 256, 1000]) {
    const tensors = new Map(
      Array.from({ length: 500 }, (_, i) => [
        `transformer.h.${i}.attn.c_attn.weight`,
        { shape: [elements], data: new Float32Array(elements) },
      ]),
    )
    const { byteLength } = await saveCheckpoint(new MemorySink(), { stateDict: () => tensors })
    const overhead = byteLength / 500 - 4 * elements
    t.true(overhead > 100 && overhead < 200, `${overhead} bytes`)
  }
})
