/** Chromium as a benchmark drives it: when a page shows something, and how evenly it scrolls. */

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import puppeteer, { type Browser, type Page } from 'puppeteer-core'
import { browsers } from '../test/support/browser/browsers.js'

// The program; undefined if this machine has none.
const chromium = browsers.find(({ name }) => name === 'Chromium')?.program

// Milliseconds after which a page counts as one that fails.
const LONGEST = 120_000

/** A browser that keeps what pages store until it is disposed of. */
export class Chromium implements AsyncDisposable {
  readonly #browser: Browser
  readonly #profile: string

  private constructor(browser: Browser, profile: string) {
    this.#browser = browser
    this.#profile = profile
  }

  /** Starts it with a new profile. */
  static async start(): Promise<Chromium> {
    if (chromium === undefined) throw new Error('there is no Chromium: name one in CHROMIUM')
    const profile = await mkdtemp(join(tmpdir(), 'bench-chromium-'))
    const browser = await puppeteer.launch({
      executablePath: chromium,
      headless: true,
      userDataDir: profile,
      args: ['--no-sandbox', '--disable-gpu'],
      protocolTimeout: LONGEST,
    })
    // The first page of a browser also pays for the start of its processes.
    await browser.pages().then(([page]) => page?.goto('data:text/html,<p>warm'))
    return new Chromium(browser, profile)
  }

  /** Opens a page, which `use` may look at until it is closed. */
  async page<T>(use: (page: Page) => Promise<T>): Promise<T> {
    const page = await this.#browser.newPage()
    await page.setViewport({ width: 1280, height: 900 })
    try {
      return await use(page)
    } finally {
      await page.close()
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#browser.close()
    await rm(this.#profile, { recursive: true, force: true, maxRetries: 10, retryDelay: 200 })
  }
}

/**
 * Opens an address. Returns the milliseconds from the beginning of the navigation until a frame shows an element that
 * `selector` matches and that contains `text`.
 */
export async function openUntil(
  page: Page,
  url: string,
  selector: string,
  text = '',
): Promise<number> {
  await page.evaluateOnNewDocument(noteWhenShown, selector, text)
  await page.goto(url)
  return shownAt(page)
}

/** Waits for the element of `openUntil`, and returns when it was shown. */
async function shownAt(page: Page): Promise<number> {
  const read = () => (globalThis as { benchShown?: number }).benchShown
  const options = { polling: 250, timeout: LONGEST }
  return (await (await page.waitForFunction(read, options)).jsonValue()) as number
}

/** Runs in the page. It looks after changes alone, so that it takes no time of the page's own work. */
function noteWhenShown(selector: string, text: string): void {
  const observer = new MutationObserver(() => {
    if (!document.querySelector(selector)?.textContent?.includes(text)) return
    observer.disconnect()
    // The frame's callbacks run before it is drawn, and a timer of theirs after it.
    requestAnimationFrame(() =>
      setTimeout(() => {
        ;(globalThis as { benchShown?: number }).benchShown = performance.now()
      }),
    )
  })
  observer.observe(document, { subtree: true, childList: true, characterData: true })
}

/** The milliseconds between the frames of a page that is scrolled down, so many pixels a frame. */
export async function scroll(page: Page, frames: number, pixels: number): Promise<number[]> {
  // As text: what compiles this file names functions by a helper that the page has not.
  const script = `new Promise((resolve) => {
    const times = []
    requestAnimationFrame(function next(time) {
      times.push(time)
      if (times.length > ${frames}) return resolve(times.slice(1).map((at, i) => at - times[i]))
      scrollBy(0, ${pixels})
      requestAnimationFrame(next)
    })
  })`
  return (await page.evaluate(script)) as number[]
}
