/** The code of guides that is for browsers, bundled as their users bundle it, and run in one. */

import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import test from 'ava'
import { build } from 'esbuild'
import { browsers } from '../support/browser/browsers.js'
import { pageOf, resultOf } from '../support/browser/result.js'
import { firstNotPrinted, printsOf, programOf } from '../support/docs/program.js'
import { requires } from '../support/requires.js'

const root = fileURLToPath(new URL('../..', import.meta.url))
const chromium = browsers.find(({ name }) => name === 'Chromium')!

// What the program prints goes to the test; so does an error that it throws.
const FIRST = `
  const printed = []
  const send = () => fetch('/result', { method: 'POST', body: JSON.stringify(printed.join('\\n')) })
  console.log = (...parts) => printed.push(parts.join(' '))
  addEventListener('error', ({ message }) => { printed.push(message); send() })
  addEventListener('unhandledrejection', ({ reason }) => { printed.push(String(reason)); send() })
`

for (const name of readdirSync(join(root, 'docs', 'guide'))) {
  const { browser } = programOf(readFileSync(join(root, 'docs', 'guide', name), 'utf8'))
  if (browser === '') continue
  requires(test.serial, { what: chromium.needs, here: chromium.program !== undefined })(
    `the code of docs/guide/${name} that is for browsers runs in Chromium, and prints what it says`,
    async (t) => {
      t.timeout(120_000)
      const { outputFiles } = await build({
        stdin: { contents: `${browser}\nsend()`, loader: 'ts', resolveDir: root },
        alias: { 'lightwatch-checkpoint': join(root, 'src', 'browser.ts') },
        banner: { js: FIRST },
        bundle: true,
        format: 'esm',
        target: 'es2022',
        write: false,
      })
      const page = pageOf(outputFiles[0]!.text)
      const printed = await resultOf(t, chromium, '/', (path) => (path === '/' ? page : undefined))
      const prints = printsOf(browser)
      t.true(prints.length > 0)
      t.is(firstNotPrinted(prints, String(printed)), undefined, String(printed))
    },
  )
}
