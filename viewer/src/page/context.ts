/** What every view needs: the open files, and links from one view to another. */

import { createContext } from 'preact'
import { useContext } from 'preact/hooks'
import type { ViewedFile } from '../compute/facts.js'
import type { Session } from '../open/session.js'
import { hrefOf, type View } from './route.js'

/** The open files. */
export const SessionContext = createContext<Session | null>(null)

/** The session of the page; views exist only within one. */
export function useSession(): Session {
  const session = useContext(SessionContext)
  if (session === null) throw new Error('there is no session')
  return session
}

/** The `href` of a view of the open files. */
export function useHref(): (view: View) => string {
  const { from } = useSession()
  return (view) => hrefOf({ view, from })
}

/** The open file of that name. */
export function fileNamed(session: Session, name: string): ViewedFile | undefined {
  return session.files.find((file) => file.name === name)
}
