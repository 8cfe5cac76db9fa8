/** Pictures of the viewer's views, of files that are the same on each machine. */

import { copyFile, mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import type { BrowserContext, Page } from 'puppeteer-core'
import { type ViewedPlace, viewedPlace } from '../../../src/cli/view/places.js'
import { serveView } from '../../../src/cli/view/server.js'
import { nameOf, writeDivergingRun } from './diverging-run.js'

/** The page as it is packed. */
export const viewerPage = fileURLToPath(new URL('../../../dist/viewer/index.html', import.meta.url))

/** A view of the sample files: where it is, and when it is all there. */
export interface SampleView {
  readonly name: 'start' | 'run' | 'file' | 'tensor' | 'bytes' | 'diff'
  readonly url: string
  /** Text that the complete page shows. */
  readonly shows: string
  /** Pixels of the picture's height. */
  readonly height: number
}

// The step of the file, and the two checkpoints of the comparison.
const FILE = nameOf(500)
const [BEFORE, AFTER] = [nameOf(840), nameOf(850)]

/** Writes the sample files below `folder` and serves them. The caller closes what is returned. */
export async function serveSamples(
  folder: string,
): Promise<{ readonly views: readonly SampleView[]; close(): Promise<void> }> {
  const [run, damaged] = [join(folder, 'diverging'), join(folder, 'damaged')]
  await writeDivergingRun(run)
  await mkdir(damaged, { recursive: true })
  const torn = join(damaged, FILE)
  await copyFile(join(run, FILE), torn)
  const bytes = await readFile(torn)
  bytes[Math.floor(bytes.length * 0.3)]! ^= 0x40
  await writeFile(torn, bytes)

  const html = await readFile(viewerPage, 'utf8')
  // A picture shows no folder of the machine.
  const titled = (place: ViewedPlace, title: string): ViewedPlace => ({ ...place, title })
  const servers = [
    await serveView(titled(await viewedPlace(run), 'runs/diverging'), html),
    await serveView(titled(await viewedPlace(damaged), 'runs/damaged'), html),
  ] as const
  const [whole, broken] = servers.map(({ url }) => url) as [string, string]
  return {
    views: [
      { name: 'start', url: pathToFileURL(viewerPage).href, shows: 'An address', height: 640 },
      { name: 'run', url: `${whole}#/run`, shows: 'model norm', height: 900 },
      { name: 'file', url: `${whole}#/file/${FILE}`, shows: 'Healthy', height: 900 },
      {
        name: 'tensor',
        url: `${whole}#/file/${FILE}/tensor/model/block4%2Fkernel`,
        shows: 'Largest by size',
        height: 1000,
      },
      {
        name: 'bytes',
        url: `${broken}#/file/${FILE}/bytes`,
        shows: '1 damaged range',
        height: 800,
      },
      {
        name: 'diff',
        url: `${whole}#/diff/${BEFORE}/${AFTER}/model/block8`,
        shows: 'difference',
        height: 900,
      },
    ],
    async close() {
      for (const server of servers) await server.close()
    },
  }
}

/** Waits until the page shows a text and nothing on it is still read or computed. */
export async function settled(page: Page, text: string): Promise<void> {
  await page.waitForFunction(
    (text: string) => {
      const waits = /Reading|Verifying|Opening|Comparing|% (read|compared)/
      const body = document.body.innerText
      // The norms come last.
      const norms = Array.from(document.querySelectorAll('.layer-table td:first-of-type'))
      return (
        body.includes(text) &&
        !waits.test(body) &&
        norms.every(({ textContent }) => textContent !== '') &&
        document.querySelector('[aria-busy=true], progress') === null
      )
    },
    { timeout: 20_000, polling: 50 },
    text,
  )
  await page.evaluate(async () => {
    await document.fonts.ready
    for (let i = 0; i < 2; i++) await new Promise((resolve) => requestAnimationFrame(resolve))
  })
}

/** What decides how text looks: two machines on which it is the same make the same pictures. */
export async function machineOf(page: Page): Promise<string> {
  const widths = await page.evaluate(() => {
    const context = document.createElement('canvas').getContext('2d')!
    const style = getComputedStyle(document.documentElement)
    return ['--sans', '--mono'].map((family) => {
      context.font = `100px ${style.getPropertyValue(family)}`
      return context.measureText('Where 0.123 → ‖Δw‖ runs away').width.toFixed(2)
    })
  })
  return `${await page.browser().version()}, ${widths.join(', ')}`
}

/** Takes the picture of a view as the guide shows it: light, 1,280 pixels wide. */
export async function pictureOf(
  context: BrowserContext,
  { url, shows, height }: SampleView,
): Promise<{ readonly page: Page; readonly png: Uint8Array }> {
  const page = await context.newPage()
  await page.setViewport({ width: 1280, height })
  await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: 'light' }])
  await page.goto(url)
  await settled(page, shows)
  return { page, png: await page.screenshot() }
}

/** The share of pixels that differ between two pictures by more than the eye overlooks; 1 if their sizes differ. */
export async function differenceOf(page: Page, a: Uint8Array, b: Uint8Array): Promise<number> {
  const texts = [a, b].map((png) => Buffer.from(png).toString('base64'))
  return page.evaluate(
    async (texts: string[], most: number) => {
      const [first, second] = await Promise.all(
        texts.map(async (text) => {
          const bytes = Uint8Array.from(atob(text), (char) => char.charCodeAt(0))
          const image = await createImageBitmap(new Blob([bytes], { type: 'image/png' }))
          const context = new OffscreenCanvas(image.width, image.height).getContext('2d')!
          context.drawImage(image, 0, 0)
          return context.getImageData(0, 0, image.width, image.height)
        }),
      )
      if (first!.width !== second!.width || first!.height !== second!.height) return 1
      let count = 0
      for (let i = 0; i < first!.data.length; i += 4) {
        const differs = [0, 1, 2].some(
          (k) => Math.abs(first!.data[i + k]! - second!.data[i + k]!) > most,
        )
        if (differs) count++
      }
      return count / (first!.data.length / 4)
    },
    texts,
    OVERLOOKED,
  )
}

// Of 255 steps of red, green or blue.
const OVERLOOKED = 12
