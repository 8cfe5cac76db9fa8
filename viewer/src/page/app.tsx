/** The page: what is open, the view of it that the address names, and the keys that work everywhere. */

import { useEffect, useLayoutEffect, useState } from 'preact/hooks'
import { listAddress, openAddress, openFiles, type Session } from '../open/session.js'
import { SessionContext } from './context.js'
import { useDrop } from './drop.js'
import { Header } from './header.js'
import { Help } from './help.js'
import { hrefOf, parseRoute, type Route, type View } from './route.js'
import { Shown } from './shown.js'
import { Start } from './start.js'

/** The whole page. `listed`: what `ckpt view` was started on, if the page comes from it. */
export function App({ listed }: { readonly listed: Promise<Session> | undefined }) {
  const [route, setRoute] = useState(() => parseRoute(location.hash))
  const [session, setSession] = useState<Session | null>(null)
  const [problem, setProblem] = useState<string | null>(null)
  const [helps, setHelps] = useState(false)

  useEffect(() => {
    const read = () => setRoute(parseRoute(location.hash))
    addEventListener('hashchange', read)
    return () => removeEventListener('hashchange', read)
  }, [])

  const show = (opened: Session, view: View = firstView(opened)): void => {
    setProblem(null)
    setSession(opened)
    const next = { view, from: opened.from }
    if (location.hash !== hrefOf(next)) location.hash = hrefOf(next)
    setRoute(next)
  }
  const attempt = async (open: () => Session | Promise<Session>, view?: View): Promise<void> => {
    try {
      const opened = await open()
      show(opened, view ?? firstView(opened))
    } catch (error) {
      setProblem(error instanceof Error ? error.message : String(error))
    }
  }

  // What the address or the server of `ckpt view` says is opened at once.
  useLayoutEffect(() => {
    const { view, from } = route
    const wanted = view.kind === 'start' ? undefined : view
    if (from !== null) attempt(() => openAddress(from), wanted)
    else if (listed !== undefined) attempt(() => listed, wanted)
  }, [])

  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      if (event.key === '?' && !isTyping(event)) setHelps((shown) => !shown)
      else if (event.key === '/' && !isTyping(event)) {
        const field = document.querySelector<HTMLInputElement>('input[type=search]')
        if (field === null) return
        event.preventDefault()
        field.focus()
        field.select()
      }
    }
    addEventListener('keydown', onKey)
    return () => removeEventListener('keydown', onKey)
  }, [])

  useEffect(() => {
    document.title = titleOf(route, session)
  }, [route, session])

  // The list of `ckpt view` cannot be replaced: nothing would lead back to it.
  const isOver = useDrop((dropped) => {
    if (listAddress() === undefined) {
      attempt(async () => {
        const { files, folder } = await dropped
        return openFiles(files, folder)
      })
    } else dropped.catch(() => {})
  })

  const close = () => {
    setSession(null)
    setProblem(null)
    location.hash = '#/'
  }
  const isOpen = session !== null && route.view.kind !== 'start'
  return (
    <SessionContext.Provider value={session}>
      <button type="button" class="skip" onClick={() => document.getElementById('main')?.focus()}>
        Skip to the content
      </button>
      <Header
        view={route.view}
        onClose={listAddress() === undefined ? close : undefined}
        onHelp={() => setHelps(true)}
      />
      <main id="main" tabIndex={-1}>
        {isOpen ? (
          <>
            {problem !== null && (
              <p class="problem refused" role="alert">
                {problem}
              </p>
            )}
            <Shown key={hrefOf(route)} view={route.view} />
          </>
        ) : (
          <Start
            problem={problem}
            isOver={isOver}
            waits={listAddress() !== undefined && problem === null}
            onFiles={(files, folder) => attempt(() => openFiles(files, folder))}
            onAddress={(text) => attempt(() => openAddress(text))}
          />
        )}
      </main>
      {helps && <Help onClose={() => setHelps(false)} />}
    </SessionContext.Provider>
  )
}

/** A run is shown as a whole, and a file by itself. */
function firstView({ isRun, files }: Session): View {
  return isRun && files.length > 1 ? { kind: 'run' } : { kind: 'file', file: files[0]!.name }
}

function titleOf({ view }: Route, session: Session | null): string {
  const parts =
    view.kind === 'tensor'
      ? [view.tensor, view.file]
      : view.kind === 'diff'
        ? [`${view.before} → ${view.after}`]
        : view.kind === 'file' || view.kind === 'bytes'
          ? [view.file]
          : []
  return [...parts, session?.title ?? 'Checkpoints'].join(' · ')
}

function isTyping({ target }: KeyboardEvent): boolean {
  return target instanceof Element && target.closest('input, select, textarea') !== null
}
