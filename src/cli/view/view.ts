/** `ckpt view`: the viewer in a browser, until it is ended. */

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { printable } from '../../printable.js'
import { EXIT_OK, type Terminal } from '../terminal.js'
import { formatThings } from '../text.js'
import { JobThreads } from './job-threads.js'
import { viewedPlace } from './places.js'
import { serveView } from './server.js'

// Next to this program, and in a working copy in the built package.
const VIEWERS = ['../../../viewer/', '../../../dist/viewer/']

/** Serves the viewer for a file, a folder or an address, until Ctrl-C. `opens`: in a tab of the browser. */
export async function view(location: string, opens: boolean, terminal: Terminal): Promise<number> {
  const place = await viewedPlace(location)
  const count = (await place.list()).length
  if (place.isRun && count === 0) {
    terminal.stderr.write(`ckpt: ${printable(location)}: no checkpoints in this folder yet\n`)
  }
  const viewer = builtViewer()
  const page = await readFile(new URL('index.html', viewer), 'utf8')
  const jobs = new JobThreads(new URL('thread.js', viewer), location)
  const server = await serveView(place, page, jobs)
  try {
    // The first thread starts while the browser does.
    if (place.isLocal) jobs.warm()
    const what = place.isRun ? `: ${formatThings(count, 'file')}` : ''
    terminal.stdout.write(`${printable(location)}${what}\n${server.url}\nCtrl-C ends it.\n`)
    if (opens) openTab(server.url, terminal)
    await interruption(terminal.gone)
  } finally {
    await server.close()
    await jobs.close()
  }
  return EXIT_OK
}

/** The folder of the viewer. Throws an Error with the remedy if it was not built. */
function builtViewer(): URL {
  const folder = VIEWERS.map((path) => new URL(path, import.meta.url)).find((url) =>
    existsSync(new URL('index.html', url)),
  )
  if (folder === undefined) throw new Error('the viewer has not been built: run npm run build')
  return folder
}

/** Resolves when the process is asked to end, or the reader of its output has left. */
async function interruption(gone: AbortSignal): Promise<void> {
  const ended = new AbortController()
  const { signal } = ended
  const leaving = gone.aborted ? Promise.resolve() : once(gone, 'abort', { signal })
  const interrupted = (['SIGINT', 'SIGTERM'] as const).map((name) =>
    once(process, name, { signal }),
  )
  const all = [leaving, ...interrupted]
  await Promise.race(all)
  ended.abort()
  await Promise.allSettled(all)
}

/** Asks the system to open a tab. Where it cannot, the address has been printed. */
function openTab(url: string, { env }: Terminal): void {
  const [program, ...args] = opener(url)
  // Without a screen, some systems start a browser in the terminal.
  const hasScreen =
    process.platform !== 'linux' || env.DISPLAY !== undefined || env.WAYLAND_DISPLAY !== undefined
  if (!hasScreen) return
  const child = spawn(program, args, { stdio: 'ignore', detached: true })
  child.on('error', () => {})
  child.unref()
}

function opener(url: string): [program: string, ...args: string[]] {
  switch (process.platform) {
    case 'darwin':
      return ['open', url]
    case 'win32':
      return ['cmd', '/c', 'start', '', url]
    default:
      return ['xdg-open', url]
  }
}
