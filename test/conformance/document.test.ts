/** docs/format.md is true of a real file, and names every rule. */

import { readFile } from 'node:fs/promises'
import test from 'ava'
import { CODES_OF_BYTES, rulesOfBytes } from '../support/conformance/corpus-rules.js'
import { DOCUMENT, dump, dumpIn, EXAMPLE } from '../support/conformance/dump.js'

const document = await readFile(DOCUMENT, 'utf8')
const example: Uint8Array = await readFile(EXAMPLE)

test('the listing is that of the file, as dump.ts makes it', (t) => {
  t.is(dumpIn(document), dump(example))
})

test('the bytes of the listing are the file, one after the other', (t) => {
  const lines = dumpIn(document).trimEnd().split('\n')
  const bytes: number[] = []
  for (const line of lines) {
    const [, at, hex] = /^([0-9a-f]{4}) {2}((?:[0-9a-f]{2} ?){1,8})/.exec(line) ?? []
    t.is(Number.parseInt(at!, 16), bytes.length, line)
    bytes.push(
      ...hex!
        .trim()
        .split(' ')
        .map((byte) => Number.parseInt(byte, 16)),
    )
  }
  t.deepEqual(Uint8Array.from(bytes), Uint8Array.from(example))
})

test('every rule and every code that bytes can break is in it', async (t) => {
  for (const name of [...(await rulesOfBytes()), ...CODES_OF_BYTES]) {
    t.true(document.includes(`\`${name}\``), name)
  }
})

test('every dtype and every kind of value is in it, with its number', async (t) => {
  const schema = await readFile(new URL('../../schema/checkpoint.fbs', import.meta.url), 'utf8')
  const numbers = (name: string): [string, number][] => {
    const [, body] = new RegExp(`enum ${name} : ubyte {([^}]*)}`).exec(schema)!
    return [...body!.matchAll(/^ {2}(\w+) = (\d+)/gm)].map(([, name, n]) => [name!, Number(n)])
  }
  const listed = new Map<string, number>()
  for (const [, names, codes] of document.matchAll(/^\| ((?:`\w+` )+)\| ([\d ]+) \|/gm)) {
    const each = codes!.split(' ').map(Number)
    for (const [i, name] of names!.trim().split(' ').entries()) {
      listed.set(name.slice(1, -1), each[i]!)
    }
  }
  const known = [...numbers('DType'), ...numbers('ValueKind')].filter(([, n]) => n !== 0)
  t.deepEqual([...listed].sort(), known.sort())
})
