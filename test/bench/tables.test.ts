import test from 'ava'
import { replaceFigures, tableMarkdown } from '../../bench/markdown.js'
import { attainment, plotSvg } from '../../bench/plot.js'
import { againstReference, goal, type Table } from '../../bench/table.js'

const table: Table = {
  id: 'save',
  title: 'Durable save',
  unit: 's',
  reference: 'ours',
  rows: [
    { name: 'ours', values: [1, 2, 4] },
    { name: 'theirs', values: [2, 3, 4] },
  ],
  goals: [
    goal('speed, to theirs', [2, 1.5, 1], 'at least', 1.3),
    goal('time <once & "again">', [4, 5, 6], 'at most', 2, 'ms'),
  ],
  notes: ['A note.'],
  missing: [{ name: 'torch.save', reason: 'there is no Python' }],
}

test('the median decides whether a goal is reached, to the letter of the goal', (t) => {
  t.true(goal('', [1, 2, 3], 'at least', 2).reached)
  t.false(goal('', [1, 1.9, 3], 'at least', 2).reached)
  t.true(goal('', [1, 2, 3], 'at most', 2).reached)
  t.false(goal('', [1, 2.1, 3], 'at most', 2).reached)
})

test('a row is held against the reference round by round', (t) => {
  t.deepEqual(againstReference(table, table.rows[1]!), { median: 1.5, min: 1, max: 2 })
  t.is(againstReference(table, table.rows[0]!), undefined)
})

test('a table says its figures, its goals, and who is missing', (t) => {
  t.is(
    tableMarkdown(table),
    `### Durable save

|  | seconds: median (least to most) | ratio to ours |
| --- | --- | --- |
| ours | 2.00 (1.00 to 4.00) |  |
| theirs | 3.00 (2.00 to 4.00) | 1.50× (1.00 to 2.00) |

| goal | figure | to be | reached |
| --- | --- | --- | --- |
| speed, to theirs | 1.50× (1.00 to 2.00) | at least 1.3× | yes |
| time <once & "again"> | 5.00 ms (4.00 to 6.00) | at most 2 ms | **no** |

- A note.
- Left out: torch.save: there is no Python`,
  )
})

test('figures are replaced between their markers, and prose stays', (t) => {
  const start = '<!-- figures: what stands from here on is written by `npm run bench` -->'
  const once = replaceFigures(`before\n${start}\nold\n<!-- figures end -->\nafter\n`, 'new')
  t.is(once, `before\n${start}\n\nnew\n\n<!-- figures end -->\nafter\n`)
  t.is(replaceFigures(once, 'new'), once)
  t.throws(() => replaceFigures('no markers', 'new'), { message: /lacks/ })
})

test('a goal is attained the more, the better the figure is', (t) => {
  t.is(attainment(goal('', [2], 'at least', 1)), 2)
  t.is(attainment(goal('', [2], 'at most', 1)), 0.5)
  t.is(attainment(goal('', [1], 'at most', 2)), 2)
})

test('the picture is well-formed, and shows each goal once', (t) => {
  const svg = plotSvg([table, { ...table, title: 'Without goals', goals: [] }])
  t.is(openElements(svg), 0)
  t.is(svg.match(/<rect x="430"/g)?.length, 2)
  t.true(svg.includes('time &lt;once &amp; &quot;again&quot;&gt;'))
  t.true(svg.includes('5.00 ms (≤ 2 ms)'))
  t.false(svg.includes('Without goals'))
  t.false(svg.includes('NaN'))
})

/** How many elements are left open; throws where one is closed that is not the last one opened. */
function openElements(xml: string): number {
  const open: string[] = []
  const rest = xml.replace(
    /<(\/?)([a-z]+)((?:\s+[a-zA-Z0-9-]+="[^"<&]*")*)\s*(\/?)>/g,
    (...match) => {
      const [, closing, name, , alone] = match as string[]
      if (closing === '/') {
        if (open.pop() !== name) throw new Error(`</${name}> closes another element`)
      } else if (alone !== '/') open.push(name!)
      return ''
    },
  )
  if (/[<>]|&(?!(amp|lt|gt|quot);)/.test(rest)) throw new Error(`not well-formed: ${rest}`)
  return open.length
}
