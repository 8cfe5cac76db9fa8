/** What a file holds besides tensors: progress, config, the attributes of each state. */

import type { Attribute } from '../../../../src/format/attributes.js'
import type { FileFacts } from '../../compute/facts.js'
import { nameText, thingsText, timeText } from '../../ui/text.js'
import { ValueTree } from '../../ui/value-tree.js'

/** The values, in groups that fold. */
export function Contents({ facts }: { readonly facts: FileFacts }) {
  const { epoch, step, loss, metrics, sequence, savedAt } = facts
  const progress = Object.entries({ epoch, step, loss, sequence }).filter(([, v]) => v !== null)
  if (savedAt !== null) progress.push(['saved', dateText(savedAt)] as never)
  const config = configOf(facts.config)
  return (
    <aside class="contents panel" aria-label="Progress, config and attributes">
      {progress.length > 0 && (
        <Part title="Progress">
          <ValueTree
            value={{
              ...(Object.fromEntries(progress) as { [key: string]: Attribute }),
              ...(Object.keys(metrics).length > 0 ? { metrics } : {}),
            }}
          />
        </Part>
      )}
      {config !== undefined && (
        <Part title="Config">
          {typeof config === 'string' ? (
            <pre>{config}</pre>
          ) : (
            <ValueTree value={config as { [key: string]: Attribute }} />
          )}
        </Part>
      )}
      {facts.states.map((state, i) => (
        <Part
          key={state.name}
          title={nameText(state.name)}
          note={[
            state.kind === null ? '' : nameText(state.kind),
            thingsText(state.tensors.length, 'tensor'),
          ]
            .filter((text) => text !== '')
            .join(' · ')}
          isFolded={i > 3}
        >
          {Object.keys(state.attributes).length > 0 && <ValueTree value={state.attributes} />}
        </Part>
      ))}
    </aside>
  )
}

interface PartProps {
  readonly title: string
  readonly note?: string
  readonly isFolded?: boolean
  readonly children?: preact.ComponentChildren
}

function Part({ title, note, isFolded = false, children }: PartProps) {
  return (
    <details class="part" open={!isFolded}>
      <summary>
        <h2>{title}</h2>
        {note !== undefined && <span class="note">{note}</span>}
      </summary>
      {children}
    </details>
  )
}

/** The config as values, or as its text if it is not an object; undefined if there is none. */
function configOf(text: string | null): unknown {
  if (text === null) return undefined
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null ? value : text
  } catch {
    return text
  }
}

function dateText(milliseconds: number): string {
  const date = new Date(milliseconds)
  return Number.isNaN(date.getTime()) ? String(milliseconds) : timeText(date)
}
