import { readFileSync } from 'node:fs'
import test from 'ava'

const read = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8')

test('the guide to errors has a section for every code, and for no other', (t) => {
  const guide = read('docs/guide/errors.md')
  const codes = Object.keys(JSON.parse(read('schema/tables.json')).errors)
  const sections = [...guide.matchAll(/^### (\w+)\n/gm)]
  t.deepEqual(sections.map(([, code]) => code!).sort(), codes.sort())
})

test('every section of it says a cause and a remedy', (t) => {
  const sections = read('docs/guide/errors.md')
    .split(/^#+ /m)
    .filter((text) => /^CKPT_/.test(text))
  t.true(sections.length > 15)
  for (const section of sections) {
    const [code] = section.split('\n')
    t.regex(section, /^\*\*Cause\.\*\* \S/m, code)
    t.regex(section, /^\*\*Remedy\.\*\* \S/m, code)
  }
})
