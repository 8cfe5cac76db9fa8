/**
 * `npm run pictures`: takes the pictures of the viewer in the guide. Take them on CI's image: there
 * test/viewer/pictures.smoke.ts compares the viewer with them.
 */

import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import puppeteer from 'puppeteer-core'
import { browsers } from '../test/support/browser/browsers.js'
import { machineOf, pictureOf, serveSamples } from '../test/support/viewer/pictures.js'

const images = fileURLToPath(new URL('../docs/images/', import.meta.url))
const executablePath = browsers.find(({ name }) => name === 'Chromium')!.program
if (executablePath === undefined) throw new Error('expected Chromium, found none')

const folder = await mkdtemp(join(tmpdir(), 'ckpt-pictures-'))
const samples = await serveSamples(folder)
const browser = await puppeteer.launch({ executablePath, args: ['--no-sandbox', '--disable-gpu'] })
try {
  const context = browser.defaultBrowserContext()
  for (const view of samples.views) {
    const { page, png } = await pictureOf(context, view)
    await writeFile(join(images, `viewer-${view.name}.png`), png)
    const machine = { machine: await machineOf(page) }
    await writeFile(join(images, 'viewer.json'), `${JSON.stringify(machine, null, 2)}\n`)
    await page.close()
  }
} finally {
  await browser.close()
  await samples.close()
  await rm(folder, { recursive: true })
}
