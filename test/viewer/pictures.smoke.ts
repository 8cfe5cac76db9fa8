/**
 * The six views as a person sees them: light and dark, on a phone and on paper. The pictures are kept in reports/viewer/.
 * On a machine whose browser and fonts are those of the guide's pictures they are compared with them.
 */

import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import test from 'ava'
import { requires } from '../support/requires.js'
import { scratchFolder } from '../support/scratch.js'
import { driven, driver, violations } from '../support/viewer/browser.js'
import {
  differenceOf,
  machineOf,
  pictureOf,
  serveSamples,
  settled,
} from '../support/viewer/pictures.js'

const images = fileURLToPath(new URL('../../docs/images/', import.meta.url))
const kept = fileURLToPath(new URL('../../reports/viewer/', import.meta.url))

// The share of a picture that may differ: the edges of some letters, and less than any word.
const ALLOWED = 0.0005

const chromium = driven.find(({ name }) => name === 'Chromium')!
const drive = driver(chromium)

requires(test.serial, { what: chromium.needs, here: chromium.program !== undefined })(
  'the six views look as in the guide, and are without violations in light and dark, at any width, and on paper',
  async (t) => {
    t.timeout(180_000)
    await mkdir(kept, { recursive: true })
    const samples = await serveSamples(await scratchFolder(t))
    t.teardown(() => samples.close())
    const context = await drive(t)
    const { machine } = JSON.parse(await readFile(join(images, 'viewer.json'), 'utf8'))
    for (const view of samples.views) {
      const { page, png } = await pictureOf(context, view)
      const keep = (what: string, bytes: Uint8Array): Promise<void> =>
        writeFile(join(kept, `${view.name}${what}`), bytes)
      await keep('.png', png)
      const found = await machineOf(page)
      if (found === machine) {
        const reference = await readFile(join(images, `viewer-${view.name}.png`))
        const difference = await differenceOf(page, png, reference)
        t.true(
          difference <= ALLOWED,
          `${(100 * difference).toFixed(2)} % of reports/viewer/${view.name}.png differs from docs/images/viewer-${view.name}.png; \`npm run pictures\` renews it`,
        )
      } else if (view === samples.views[0]) {
        t.log(`nothing was compared: the pictures are of ${machine}, and this is ${found}`)
      }
      t.deepEqual(await violations(page), [], view.name)
      for (const [what, width, scheme] of LOOKS) {
        await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: scheme }])
        await page.setViewport({ width, height: view.height })
        await settled(page, view.shows)
        if (width < 600) {
          // All of the page: rows out of sight are not there.
          const height = await page.evaluate(() => document.documentElement.scrollHeight)
          await page.setViewport({ width, height })
          await settled(page, view.shows)
        }
        await keep(`-${what}.png`, await page.screenshot())
        t.deepEqual(await violations(page), [], `${view.name}, ${what}`)
        const over = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)
        t.true(over <= 0, `${view.name} is ${over} pixels wider than ${width}`)
      }
      // From a dark page, which is the harder one.
      await keep('.pdf', await page.pdf({ format: 'A4', printBackground: true }))
      await page.emulateMediaType('print')
      t.deepEqual(await violations(page), [], `${view.name}, print`)
      await page.close()
    }
  },
)

const LOOKS = [
  ['phone', 390, 'light'],
  ['dark', 1280, 'dark'],
] as const
