import { readFile } from 'node:fs/promises'
import test from 'ava'
import { MemorySink, saveCheckpoint } from '../../src/index.js'

const read = (path: string) => readFile(new URL(`../../${path}`, import.meta.url), 'utf8')

test('each row of the table of policies has a test of the same name, and each such test a row', async (t) => {
  const [, table] = /^\| policy \|.*\n\|---.*\n((?:\|.*\n)+)/m.exec(await read('README.md')) ?? []
  const rows = [...(table ?? '').matchAll(/^\| (.*?) \| /gm)].map(([, row]) => row!)
  const source = await read('test/manager/policies.test.ts')
  const titles = [...source.matchAll(/^test(?:\.serial)?\(\s*(['"`])((?:\\.|(?!\1).)*)\1/gm)]
  const names = titles.map(([, , title]) => title!.replace(/\\(.)/g, '$1'))
  t.true(rows.length > 20)
  t.deepEqual(names.sort(), rows.sort())
})

test('every command that the README gives is a script of the package', async (t) => {
  const { scripts } = JSON.parse(await read('package.json'))
  const named = [...(await read('README.md')).matchAll(/npm run ([\w:]+)/g)].map(
    ([, name]) => name!,
  )
  for (const name of named) t.true(Object.hasOwn(scripts, name), name)
})

test('a file is its tensors plus some 150 bytes for each, as the README says', async (t) => {
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
