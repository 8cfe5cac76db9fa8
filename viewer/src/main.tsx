/** The script of the page, and of its workers, which run the same text without a document. */

import { render } from 'preact'
import { serveJobs } from './compute/worker.js'
import { listAddress, openListing } from './open/session.js'
import { App } from './page/app.js'
import { compute } from './page/computing.js'
import { workOn } from './page/file-work.js'
import { parseRoute } from './page/route.js'

if (typeof document === 'undefined') serveJobs(self)
else {
  const list = listAddress()
  const { from } = parseRoute(location.hash)
  // The first worker starts, and what is listed is asked for, while the page draws itself for the first time.
  if (list !== undefined || from !== null) compute.warm()
  const listed = list === undefined || from !== null ? undefined : openListing(list)
  listed?.then(
    ({ files: [file, ...more] }) => {
      if (file !== undefined && more.length === 0) workOn(file).readFacts()
    },
    // The page says so.
    () => {},
  )
  render(<App listed={listed} />, document.getElementById('app')!)
}
