/** The browser's entry, bundled and run in real browsers. */

import test from 'ava'
import { browsers } from '../support/browser/browsers.js'
import { bundledPage } from '../support/browser/bundle.js'
import { pageOf, resultOf } from '../support/browser/result.js'
import { requires } from '../support/requires.js'

test('the entry for browsers bundles without any module of Node', async (t) => {
  t.notRegex(await bundledPage('page'), /from ?"(node:|@)|require\("(node:|fs|koffi)/)
})

for (const browser of browsers) {
  const { name, program, needs } = browser
  const inBrowser = requires(test.serial, { what: needs, here: program !== undefined })
  inBrowser(
    `${name} saves to its private file system, restores every bit, and keeps the old file when a save is aborted`,
    async (t) => {
      t.timeout(120_000)
      const page = pageOf(await bundledPage('page'))
      let saved: Uint8Array = new Uint8Array()
      const found = await resultOf(
        t,
        browser,
        '/',
        (path) => {
          if (path === '/a.ckpt') return { type: 'application/octet-stream', body: saved }
          return path === '/' ? page : undefined
        },
        (_, bytes) => {
          saved = bytes
        },
      )
      t.deepEqual(found, {
        sources: ['blob', 'http'],
        durability: 'none',
        report: {
          epoch: 2,
          step: 7,
          loss: 0.25,
          tensors: 2,
          byteLength: 400_032,
          missing: [],
          unexpected: [],
          missingStates: [],
          renamed: [],
          converted: [],
          leftOut: [],
          unusedStates: [],
          warnings: [],
        },
        identical: true,
        moments: ['1', '0', 'NaN', 'Infinity'],
        negativeZero: true,
        aborted: 'enough',
        untouched: true,
        sameBytes: true,
        refused: 'CKPT_TENSOR_CHECKSUM',
      })
    },
  )
}
