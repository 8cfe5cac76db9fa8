/** The same works as tests of a test runner that gives `test` to every file. */

import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { manage, save } from './work.mjs'

const folder = () => mkdtempSync(join(tmpdir(), 'ckpt-smoke-'))

test('save', () => save(folder()), 60_000)

test('manage', () => manage(folder()), 60_000)
