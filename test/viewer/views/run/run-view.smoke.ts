/** The view of a run and of two of its files, in real browsers, under the page's own policy. */

import test from 'ava'
import { MemorySink, saveCheckpoint } from '../../../../src/browser.js'
import { browsers } from '../../../support/browser/browsers.js'
import { resultOf, type Served } from '../../../support/browser/result.js'
import { requires } from '../../../support/requires.js'
import { drivenPage, servedRun } from '../../../support/viewer/driven-page.js'

const HOSTILE = '<img src=x onerror=alert(1)>\u202e'

/** Five checkpoints: a layer that rests, one that moves, one that becomes NaN; and a file that is none. */
async function run(): Promise<Map<string, Uint8Array>> {
  const files = new Map<string, Uint8Array>()
  for (let step = 1; step <= 5; step++) {
    const wave = (by: number) => Float32Array.from({ length: 600 }, (_, i) => Math.sin(i + by))
    const tensors: Record<string, Float32Array> = {
      'calm.weight': wave(step / 500),
      'calm.bias': wave(step / 900),
      'frozen.weight': wave(0),
      [`${HOSTILE}.weight`]: wave(step / 700),
      'wild.weight': wave(step / 500),
    }
    if (step >= 4) tensors['wild.weight']![7] = Number.NaN
    const stateDict = () =>
      Object.fromEntries(
        Object.entries(tensors).map(([name, data]) => [name, { data, shape: [20, 30] }]),
      )
    const sink = new MemorySink()
    const options = { step: step * 10, epoch: 0, loss: 1 / step, metrics: { accuracy: step / 10 } }
    await saveCheckpoint(sink, { stateDict }, null, options)
    files.set(`step-${step}.ckpt`, sink.bytes)
  }
  files.set('torn.ckpt', files.get('step-5.ckpt')!.slice(0, 2000))
  return files
}

/** What the driver posts. */
interface Seen {
  readonly error?: string
  readonly run: { readonly findings: string[]; readonly unread: string[] }
  readonly readout: string
  readonly diff: { readonly rows: string[]; readonly titles: string[] }
}

let page: Promise<Served> | undefined

for (const browser of browsers.filter(({ name }) => name !== 'WebKit')) {
  requires(test.serial, { what: browser.needs, here: browser.program !== undefined })(
    `a run is seen in ${browser.name}, by keyboard too, and a cell leads to the comparison of its files`,
    async (t) => {
      t.timeout(180_000)
      page ??= drivenPage('./run-driver.ts')
      const result = await resultOf(t, browser, '/', servedRun(await page, await run()))
      const { run: seen, readout, diff, error } = result as Seen
      t.is(error, undefined)
      t.like(seen, {
        layers: [
          'calm',
          'frozen.weight',
          '<img src=x onerror=alert(1)>\\u{202e}.weight',
          'wild.weight',
        ],
        plots: ['loss', 'accuracy', 'model norm'],
        // The picture does not move when the norm is there.
        plotsAbove: ['loss,accuracy,model norm'],
        violations: [],
        overflows: false,
      })
      const [broken, rests] = seen.findings
      t.regex(broken!, /NaN .*step 40.*wild\.weight/)
      t.regex(rests!, /frozen\.weight never changes/)
      t.regex(seen.unread.join(), /torn\.ckpt: .*bytes/)
      t.regex(readout, /^calm, step 10 → step 20: change 0\.00\d+ Compare$/)
      t.like(diff, {
        hash: '#/diff/step-1.ckpt/step-2.ckpt/model/calm',
        violations: [],
        overflows: false,
      })
      t.regex(diff.rows[0]!, /^calm/)
      t.regex(diff.titles.join(), /before.*after.*difference/)
    },
  )
}
