/**
 * Draws the output of a command as a terminal, for the README:
 *
 *     npm start | npx tsx scripts/terminal-picture.ts 'npm start' > docs/images/start.svg
 *
 * Of more than four lines in a row that begin alike ("epoch …") the first and the last are shown.
 */

import { text } from 'node:stream/consumers'

const FONT_SIZE = 14
// What a character of a monospaced font takes, and a line, in pixels.
const ADVANCE = 8.43
const LINE = 21
const MARGIN = 20
const BAR = 34

/** Colours, by the first pattern that a line fits. */
const COLOURS: readonly (readonly [pattern: RegExp, colour: string])[] = [
  [/^\$/, '#ffffff'],
  [/^kill/, '#ff7b72'],
  [/^resumed|identical|^the same/, '#7ee787'],
  [/^ *\d+ s {2}/, '#79c0ff'],
  [/./, '#c9d1d9'],
]

function shortened(lines: readonly string[]): string[] {
  const kept: string[] = []
  for (let i = 0; i < lines.length; ) {
    const [word] = lines[i]!.split(' ')
    let end = i + 1
    while (end < lines.length && word !== '' && lines[end]!.split(' ')[0] === word) end++
    if (end - i > 4) kept.push(lines[i]!, '…', lines[end - 1]!)
    else kept.push(...lines.slice(i, end))
    i = end
  }
  return kept
}

const escaped = (line: string) =>
  line.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')

const [command = ''] = process.argv.slice(2)
const output = (await text(process.stdin))
  .replace(/^(>.*\n)+/gm, '')
  .trim()
  .split('\n')
const lines = [`$ ${command}`, ...shortened(output)]
const width = Math.ceil(Math.max(...lines.map((line) => line.length)) * ADVANCE + 2 * MARGIN)
const height = BAR + lines.length * LINE + MARGIN

const rows = lines.map((line, i) => {
  const [, colour] = COLOURS.find(([pattern]) => pattern.test(line)) ?? ['', '']
  const y = BAR + (i + 1) * LINE - 5
  return line === '' ? '' : `<text x="${MARGIN}" y="${y}" fill="${colour}">${escaped(line)}</text>`
})
const dots = ['#ff5f57', '#febc2e', '#28c840'].map(
  (colour, i) => `<circle cx="${MARGIN + i * 20}" cy="${BAR / 2}" r="6" fill="${colour}"/>`,
)
console.log(
  [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-label="The output of ${escaped(command)}">`,
    `<style>text{font:${FONT_SIZE}px ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono',monospace;white-space:pre}</style>`,
    `<rect width="${width}" height="${height}" rx="10" fill="#0d1117"/>`,
    ...dots,
    ...rows.filter((row) => row !== ''),
    '</svg>',
  ].join('\n'),
)
