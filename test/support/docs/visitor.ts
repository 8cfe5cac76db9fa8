/**
 * What runs in the browser to look at the site: opens its first page in a frame, follows every link of the
 * navigation, and sends what it found on each page to the server.
 */

/** What a page has, when its scripts have run. */
export interface Visit {
  /** The page's path, below the site's root. */
  readonly path: string
  /** Where its links and images lead to, as absolute URLs. */
  readonly links: readonly string[]
  /** What it is called, by its tab. */
  readonly title: string
}

/** What all visits came to. */
export interface Visits {
  readonly visits: readonly Visit[]
  /** What pages said to the console, threw, or could not load. */
  readonly complaints: readonly string[]
}

const PATIENCE_MS = 60_000

const complaints: string[] = []
const frame = document.createElement('iframe')
frame.style.cssText = 'width: 1200px; height: 800px'

/** Listens to a page from before its first script: `server` puts the call into each page. */
Object.assign(globalThis, {
  watch(page: Window & typeof globalThis) {
    const say = (what: string) => complaints.push(`${page.location.pathname}: ${what}`)
    for (const level of ['error', 'warn'] as const) {
      page.console[level] = (...parts: unknown[]) => say(`console.${level}: ${parts.join(' ')}`)
    }
    page.addEventListener('unhandledrejection', ({ reason }) => say(`unhandled: ${reason}`))
    page.addEventListener(
      'error',
      (event) => {
        const { src, href } = event.target as Partial<HTMLScriptElement & HTMLLinkElement>
        say(event instanceof ErrorEvent ? event.message : `could not load ${src ?? href}`)
      },
      true,
    )
  },
})

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

/** Opens a page, and resolves when its navigation is there. */
async function open(url: string): Promise<Document> {
  const loaded = new Promise((resolve) => frame.addEventListener('load', resolve, { once: true }))
  frame.src = url
  await loaded
  for (let waited = 0; waited < PATIENCE_MS; waited += 20) {
    const page = frame.contentDocument!
    if (page.querySelector('#tsd-nav-container a') !== null) return page
    await sleep(20)
  }
  throw new Error(`${url} has no navigation`)
}

const withoutAnchor = (url: string) => url.split('#')[0]!

function visitOf(page: Document): Visit {
  const links = [...page.querySelectorAll<HTMLAnchorElement>('a[href]')].map(({ href }) => href)
  const images = [...page.querySelectorAll('img')].map(({ src }) => src)
  return { path: new URL(page.URL).pathname, links: [...links, ...images], title: page.title }
}

async function run(): Promise<Visits> {
  document.body.append(frame)
  const home = new URL('/index.html', location.href).href
  const first = await open(home)
  const visits = [visitOf(first)]
  const navigation = [...first.querySelectorAll<HTMLAnchorElement>('#tsd-nav-container a[href]')]
  const urls = new Set(navigation.map(({ href }) => withoutAnchor(href)))
  urls.delete(home)
  for (const url of urls) visits.push(visitOf(await open(url)))
  return { visits, complaints }
}

run()
  .catch((error) => ({ visits: [], complaints: [String(error?.stack ?? error)] }))
  .then((result) => fetch('/result', { method: 'POST', body: JSON.stringify(result) }))
