/** The keys, in a dialog. */

import { useEffect, useRef } from 'preact/hooks'

const KEYS: readonly (readonly [keys: string, what: string])[] = [
  ['↑ ↓', 'Move through a table'],
  ['→ ←', 'Unfold and fold a group'],
  ['Enter', 'Open what is selected'],
  ['Page up, Page down, Home, End', 'Move further'],
  ['+ − 0', 'Zoom a heat map in and out, and show it whole'],
  ['/', 'Filter'],
  ['Esc', 'Clear the filter, close this'],
  ['?', 'This help'],
]

/** Shows the keys until it is closed. */
export function Help({ onClose }: { readonly onClose: () => void }) {
  const dialog = useRef<HTMLDialogElement>(null)
  useEffect(() => dialog.current?.showModal(), [])
  return (
    <dialog ref={dialog} class="help" aria-labelledby="help-title" onClose={onClose}>
      <h2 id="help-title">Keys</h2>
      <dl class="keys">
        {KEYS.map(([keys, what]) => (
          <div key={keys}>
            <dt>
              <kbd>{keys}</kbd>
            </dt>
            <dd>{what}</dd>
          </div>
        ))}
      </dl>
      <p class="note">
        The page reads only the files that you open, and sends nothing anywhere. It may keep what it
        has computed of a tensor in this browser, by the tensor's checksum.
      </p>
      <button type="button" onClick={() => dialog.current?.close()}>
        Close
      </button>
    </dialog>
  )
}
