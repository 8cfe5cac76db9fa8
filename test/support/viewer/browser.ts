/** A browser that a test drives, and what a page of the viewer does in it. */

import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import test, { type ExecutionContext } from 'ava'
import puppeteer, {
  type Browser,
  type BrowserContext,
  type ElementHandle,
  type Page,
} from 'puppeteer-core'
import { browsers } from '../browser/browsers.js'

/** The browsers that the viewer is tested in. */
export const driven = browsers.filter(({ name }) => name === 'Chromium' || name === 'Firefox')

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')

/** Gives a test a browser of its own: pages, stores and caches of one test are not those of another. */
export type Drive = (t: ExecutionContext) => Promise<BrowserContext>

/** Starts the browser once for all tests of a file; it ends after them. */
export function driver({ name, program }: (typeof driven)[number]): Drive {
  let started: Promise<Browser> | undefined
  test.after.always(`${name} ends`, async () => (await started)?.close())
  return async (t) => {
    started ??= puppeteer.launch({
      browser: name === 'Firefox' ? 'firefox' : 'chrome',
      executablePath: program!,
      headless: true,
      args: name === 'Firefox' ? [] : ['--no-sandbox', '--disable-gpu'],
    })
    const context = await (await started).createBrowserContext()
    t.teardown(() => context.close())
    return context
  }
}

/** A page, with what it complained of and which addresses it asked for. */
export interface Opened {
  readonly page: Page
  readonly complaints: string[]
  readonly asked: string[]
}

/** Opens a page of a width in pixels, dark or light. */
export async function openPage(
  browser: BrowserContext,
  url: string,
  { width = 1280, dark = false }: { readonly width?: number; readonly dark?: boolean } = {},
): Promise<Opened> {
  const page = await browser.newPage()
  const complaints: string[] = []
  const asked: string[] = []
  page.on('console', (message) => {
    if (message.type() === 'error' || message.type() === 'warn') complaints.push(message.text())
  })
  page.on('pageerror', (error) => complaints.push(String(error)))
  page.on('dialog', (dialog) => {
    complaints.push(`dialog: ${dialog.message()}`)
    dialog.dismiss().catch(() => {})
  })
  page.on('request', (request) => asked.push(request.url()))
  await page.setViewport({ width, height: 900 })
  // Firefox takes the preference from its profile.
  if (dark) await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: 'dark' }])
  await page.goto(url)
  return { page, complaints, asked }
}

/** Waits until the page shows a text, and fails with what it shows instead. */
export async function shows(t: ExecutionContext, page: Page, text: string): Promise<void> {
  const until = Date.now() + 20_000
  let body = ''
  while (Date.now() < until) {
    body = await page.evaluate(() => document.body.innerText)
    if (body.includes(text)) return
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  t.fail(`expected ${JSON.stringify(text)}, found ${JSON.stringify(body.slice(0, 3000))}`)
}

/** Leads the page to another of its views. */
export async function goTo(page: Page, hash: string): Promise<void> {
  await page.evaluate((hash) => {
    location.hash = hash
  }, hash)
}

/** Chooses files, or a folder, as a person does in the dialog of a file input. */
export async function choose(
  page: Page,
  input: string,
  ...paths: readonly string[]
): Promise<void> {
  const element = (await page.waitForSelector(input))!
  await (element as ElementHandle<HTMLInputElement>).uploadFile(...paths)
}

/** Drops files, or folders, on the page as a file manager does. Chromium alone can be told to. */
export async function drop(page: Page, ...paths: readonly string[]): Promise<void> {
  const session = await page.createCDPSession()
  const data = { items: [], files: [...paths], dragOperationsMask: 1 }
  for (const type of ['dragEnter', 'dragOver', 'drop'] as const) {
    await session.send('Input.dispatchDragEvent', { type, x: 200, y: 200, data })
  }
  await session.detach()
}

/** Drops files that an input of the page gets first, so that they are on the machine's disk all the same. */
export async function dropChosen(page: Page, ...paths: readonly string[]): Promise<void> {
  await page.evaluate(() => {
    const input = document.createElement('input')
    input.type = 'file'
    input.multiple = true
    input.id = 'dropped'
    document.body.append(input)
  })
  await choose(page, '#dropped', ...paths)
  await page.evaluate(() => {
    const input = document.querySelector<HTMLInputElement>('#dropped')!
    const dataTransfer = new DataTransfer()
    for (const file of input.files!) dataTransfer.items.add(file)
    input.remove()
    dispatchEvent(new DragEvent('drop', { dataTransfer, cancelable: true }))
  })
}

/** What axe has against the page: rule and element. */
export async function violations(page: Page): Promise<string[]> {
  if (!(await page.evaluate(() => 'axe' in globalThis))) await page.evaluate(axe)
  return page.evaluate(async () => {
    const { axe } = globalThis as unknown as {
      axe: {
        run(options: object): Promise<{ violations: { id: string; nodes: { html: string }[] }[] }>
      }
    }
    const { violations } = await axe.run({ resultTypes: ['violations'] })
    return violations.flatMap(({ id, nodes }) => nodes.map(({ html }) => `${id}: ${html}`))
  })
}
