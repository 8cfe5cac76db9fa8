import test from 'ava'
import { tableLines } from '../../src/cli/table.js'

const COLUMNS = [{ title: 'name' }, { title: 'n', align: 'right' }] as const

test('columns are as wide as their widest cell, and aligned', (t) => {
  const rows = [{ cells: ['a', '1'] }, { cells: ['long', '100'] }, { cells: ['b'], note: '= a' }]
  t.deepEqual(tableLines(COLUMNS, rows), [
    'name    n', //
    'a       1',
    'long  100',
    'b     = a',
  ])
})

test('one overlong cell stands out, and does not widen the others', (t) => {
  const [title, long, short] = tableLines(COLUMNS, [
    { cells: ['x'.repeat(1000), '1'] },
    { cells: ['y', '2'] },
  ])
  t.is(long, `${'x'.repeat(1000)}  1`)
  t.is(short!.length, 163)
  t.is(title!.length, 163)
})

test('names are cut to a width, but stay apart', (t) => {
  const cut = (names: string[], width: number) =>
    tableLines(
      COLUMNS,
      names.map((name) => ({ cells: [name, '1'] })),
      width,
    ).slice(1)
  t.deepEqual(cut(['abcdefghijklmnopqrstuvwxyz', 'b'], 23), [
    'abcdefghi…qrstuvwxyz  1',
    'b                     1',
  ])
  const ends = ['a'.repeat(20), 'b'.repeat(20)]
  const alike = ['1', '2'].map((digit) => ends.join(digit))
  t.deepEqual(
    cut(alike, 23).map((line) => line.includes('…')),
    [false, false],
  )
})
