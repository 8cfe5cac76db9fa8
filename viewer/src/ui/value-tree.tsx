/** A tree of values: attributes of a state, a config, progress. */

import { useState } from 'preact/hooks'
import type { Attribute } from '../../../src/format/attributes.js'
import { nameText, thingsText } from './text.js'

// Entries of a list or map that are shown at first.
const SOME = 50

// Longest text on a line.
const LONGEST = 2000

/** The entries of a map, each with its value; what has parts of its own folds. */
export function ValueTree({ value }: { readonly value: { readonly [key: string]: Attribute } }) {
  return <Entries entries={Object.entries(value)} />
}

function Entries({ entries }: { readonly entries: readonly (readonly [string, Attribute])[] }) {
  const [all, setAll] = useState(false)
  const shown = all ? entries : entries.slice(0, SOME)
  return (
    <ul class="values">
      {shown.map(([name, value]) => (
        <li key={name}>
          <Entry name={name} value={value} />
        </li>
      ))}
      {shown.length < entries.length && (
        <li>
          <button type="button" class="quiet" onClick={() => setAll(true)}>
            {entries.length - shown.length} more
          </button>
        </li>
      )}
    </ul>
  )
}

function Entry({ name, value }: { readonly name: string; readonly value: Attribute }) {
  if (isPlain(value)) {
    return (
      <span class="value">
        <span class="key">{nameText(name)}</span>
        <code>{plainText(value)}</code>
      </span>
    )
  }
  const entries = Object.entries(value as { readonly [key: string]: Attribute })
  if (entries.length === 0) {
    return (
      <span class="value">
        <span class="key">{nameText(name)}</span>
        <code>{Array.isArray(value) ? '[]' : '{}'}</code>
      </span>
    )
  }
  const short = shortList(value)
  if (short !== undefined) {
    return (
      <span class="value">
        <span class="key">{nameText(name)}</span>
        <code>{short}</code>
      </span>
    )
  }
  return (
    <details>
      <summary>
        <span class="key">{nameText(name)}</span>
        <span class="note">
          {thingsText(entries.length, Array.isArray(value) ? 'item' : 'value')}
        </span>
      </summary>
      <Entries entries={entries} />
    </details>
  )
}

type Plain = Exclude<Attribute, readonly Attribute[] | { readonly [key: string]: Attribute }>

function isPlain(value: Attribute): value is Plain {
  return typeof value !== 'object' || value === null
}

function plainText(value: Plain): string {
  if (typeof value !== 'string') return Object.is(value, -0) ? '-0' : String(value)
  return nameText(value.length > LONGEST ? `${value.slice(0, LONGEST)}…` : value)
}

/** A list of few short values, on one line. */
function shortList(value: Attribute): string | undefined {
  if (!Array.isArray(value) || value.length > 8 || !value.every(isPlain)) return undefined
  const text = value.map((each) => plainText(each as Plain)).join(', ')
  return text.length <= 28 ? `[${text}]` : undefined
}
