/**
 * The goals as a picture. Each goal has a bar, scaled so that all goals lie on one line; longer is better. An SVG
 * without scripts or fonts of its own, which GitHub and npm show.
 */

import { figure } from './markdown.js'
import type { Goal, Table } from './table.js'

const WIDTH = 960
const LABELS = 430
const FIGURES = 170
const ROW = 26
const TITLE = 34
const TOP = 64
/** Longest bar, as a multiple of the goal. */
const MOST = 3

const REACHED = '#2f7d5b'
const MISSED = '#b4533c'

/** How far a goal is reached: 1 is exactly, 2 is twice as good. */
export function attainment({ figure: { median }, limit, sense }: Goal): number {
  const value = sense === 'at least' ? median / limit : limit / median
  return Number.isNaN(value) || value < 0 ? MOST : value
}

export function plotSvg(tables: readonly Table[]): string {
  const shown = tables.filter(({ goals }) => goals.length > 0)
  const height = TOP + shown.reduce((sum, { goals }) => sum + TITLE + goals.length * ROW, 0) + 40
  const scale = (WIDTH - LABELS - FIGURES) / MOST
  const goalX = LABELS + scale
  const parts: string[] = []
  let y = TOP
  for (const { title, goals } of shown) {
    y += TITLE
    parts.push(text(16, y - 8, title, 'class="title"'))
    for (const goal of goals) {
      const value = attainment(goal)
      const width = Math.min(value, MOST) * scale
      const unit = goal.unit === '×' ? '×' : ` ${goal.unit}`
      const sign = goal.sense === 'at least' ? '≥' : '≤'
      const middle = y + ROW / 2 + 4
      parts.push(
        text(LABELS - 10, middle, goal.name, 'text-anchor="end"'),
        `<rect x="${LABELS}" y="${y + 4}" width="${width.toFixed(1)}" height="${ROW - 8}" ` +
          `fill="${goal.reached ? REACHED : MISSED}"/>`,
        text(
          WIDTH - FIGURES + 10,
          middle,
          `${figure(goal.figure.median)}${unit} (${sign} ${goal.limit}${unit})`,
          'class="figure"',
        ),
      )
      if (value > MOST) parts.push(text(LABELS + width - 14, middle, '»', 'fill="#fff"'))
      y += ROW
    }
  }
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" role="img" aria-label="Goals and how far they are reached">
<style>text{font:13px system-ui,sans-serif;fill:#222}.title{font-weight:600}.figure{font-variant-numeric:tabular-nums}.head{font-size:17px;font-weight:600}.small{font-size:12px;fill:#555}</style>
<rect width="${WIDTH}" height="${height}" fill="#fff"/>
${text(16, 28, 'Goals, and how far they are reached', 'class="head"')}
${text(16, 48, 'Longer is better; the line is the goal. Median over rounds (goal in brackets).', 'class="small"')}
${parts.join('\n')}
<line x1="${goalX}" y1="${TOP}" x2="${goalX}" y2="${y + 8}" stroke="#222" stroke-dasharray="4 3"/>
${text(goalX, y + 24, 'goal', 'text-anchor="middle" class="small"')}
</svg>
`
}

function text(x: number, y: number, content: string, attributes: string): string {
  return `<text x="${x}" y="${y}" ${attributes}>${escapeXml(content)}</text>`
}

function escapeXml(content: string): string {
  const entities: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' }
  return content.replace(/[&<>"]/g, (character) => entities[character]!)
}
