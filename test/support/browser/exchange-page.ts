/** Runs `exchange` in a browser, and sends what it came to to the server that the page came from. */

import { exchange } from './exchange.js'

exchange(new URL('/files/', location.href))
  .catch((error) => ({ error: String(error?.stack ?? error) }))
  .then((result) => fetch('/result', { method: 'POST', body: JSON.stringify(result) }))
