/** The top of the page: where one is, and the way back. */

import { useContext } from 'preact/hooks'
import { nameText } from '../ui/text.js'
import { SessionContext } from './context.js'
import { hrefOf, type View } from './route.js'

interface HeaderProps {
  readonly view: View
  /** Absent if there is nothing else to open. */
  readonly onClose: (() => void) | undefined
  readonly onHelp: () => void
}

/** The path from what is open to what is shown, and the help. */
export function Header({ view, onClose, onHelp }: HeaderProps) {
  const session = useContext(SessionContext)
  const crumbs = session === null ? [] : crumbsOf(view, session)
  return (
    <header class="top">
      <nav aria-label="Where you are">
        <ol class="crumbs">
          {session === null && <li class="brand">Checkpoints</li>}
          {crumbs.map(({ text, href }, i) => (
            <li key={`${i} ${text}`}>
              {i === crumbs.length - 1 ? (
                <span aria-current="page" title={text}>
                  {text}
                </span>
              ) : (
                <a href={href} title={text}>
                  {text}
                </a>
              )}
            </li>
          ))}
        </ol>
      </nav>
      <div class="top-actions">
        {session !== null && onClose !== undefined && (
          <button type="button" class="quiet" onClick={onClose}>
            Open another
          </button>
        )}
        <button type="button" class="quiet" onClick={onHelp} aria-keyshortcuts="?">
          Help
        </button>
      </div>
    </header>
  )
}

interface Crumb {
  readonly text: string
  readonly href: string
}

function crumbsOf(
  view: View,
  { title, isRun, from }: { title: string; isRun: boolean; from: string | null },
): Crumb[] {
  const to = (view: View): string => hrefOf({ view, from })
  const crumbs: Crumb[] = isRun ? [{ text: placeText(title), href: to({ kind: 'run' }) }] : []
  if (view.kind === 'file' || view.kind === 'bytes' || view.kind === 'tensor') {
    crumbs.push({ text: nameText(view.file), href: to({ kind: 'file', file: view.file }) })
  }
  if (view.kind === 'bytes') crumbs.push({ text: 'Bytes', href: to(view) })
  if (view.kind === 'tensor') crumbs.push({ text: nameText(view.tensor), href: to(view) })
  if (view.kind === 'diff') {
    crumbs.push({ text: nameText(`${view.before} → ${view.after}`), href: to(view) })
  }
  return crumbs
}

/** The last parts of a path: what distinguishes one run from the others. */
function placeText(title: string): string {
  return nameText(
    title
      .split(/[/\\]/)
      .filter((part) => part !== '')
      .slice(-2)
      .join('/') || title,
  )
}
