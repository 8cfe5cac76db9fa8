/**
 * What every store must do, wherever its files are. A test file of a store calls this with a way to make an empty one.
 * A new store passes if a manager cannot tell it from the others.
 */

import ava, { type ExecutionContext } from 'ava'
import type { CheckpointStore, SinkOptions, StoredFile } from '../../src/io/store.js'
import { isMissing } from '../../src/io/store.js'
import { times } from './effort.js'
import { scattered } from './patterns.js'

/** A place for files that starts empty, and is removed after the test. */
export interface StorePlace {
  /** A store of the place. Each call makes another one, as another process does. */
  readonly store: () => CheckpointStore
  /**
   * Everything that lies in the place: names of files, drafts and unfinished uploads, in any order. Absent if only the
   * store itself can tell.
   */
  readonly contents?: () => Promise<readonly string[]>
}

/** Makes an empty place. */
export type MakeStore = (t: ExecutionContext) => Promise<StorePlace>

/** What a store leaves out of the suite, each with its reason. */
export interface StoreConformance {
  /** Pairs of savers in the race of two writers (default 20, times TEST_EFFORT). */
  readonly races?: number
  /** Declares each test, and may skip it with a reason. */
  readonly declare?: (title: string, run: (t: ExecutionContext) => Promise<void>) => void
}

const NAME = 'step-000000000001.ckpt'
const OTHER = 'step-000000000002.ckpt'
const ASIDE = `${NAME}.damaged`

// Bytes that differ everywhere.
const BYTES = scattered(100_000)
const some = (length: number, from = 0): Uint8Array => BYTES.slice(from, from + length)

/** Saves as the library does: the first bytes last. */
async function put(
  store: CheckpointStore,
  name: string,
  bytes: Uint8Array,
  options: SinkOptions = {},
): Promise<void> {
  const sink = store.sink(name, options)
  try {
    await sink.begin(bytes.byteLength)
    const start = Math.min(100, bytes.byteLength)
    if (start < bytes.byteLength) await sink.write(bytes.subarray(start), start)
    await sink.write(bytes.subarray(0, start), 0)
    await sink.sync()
    await sink.commit()
  } catch (error) {
    await sink.abort()
    throw error
  }
}

/** The bytes of a file. */
async function get(store: CheckpointStore, name: string, version?: string): Promise<Uint8Array> {
  const source = await store.open(name, { version })
  try {
    const bytes = new Uint8Array(source.size)
    await source.read(bytes, 0)
    await source.checkUnchanged()
    return bytes
  } finally {
    source.close()
  }
}

const same = (a: Uint8Array, b: Uint8Array): boolean => Buffer.compare(a, b) === 0
const namesOf = (files: readonly StoredFile[]): string[] => files.map(({ name }) => name).sort()

/** The file of a name, which must be there. */
async function fileOf(store: CheckpointStore, name: string): Promise<StoredFile> {
  const file = await store.stat(name)
  if (file === undefined) throw new Error(`${name} is not there`)
  return file
}

type Law = (t: ExecutionContext, place: StorePlace) => Promise<void>

/** Declares the tests of a store, named after `what`. */
export function storeConforms(
  what: string,
  make: MakeStore,
  { races = times(20), declare = ava }: StoreConformance = {},
): void {
  const test = (title: string, law: Law): void => {
    declare(`${what}: ${title}`, async (t) => law(t, await make(t)))
  }
  /** For what needs conditions. A store without them must refuse each, and never ignore it. */
  const conditional = (title: string, law: Law): void => {
    test(title, async (t, place) => {
      if ((await place.store().supports()).conditions) return law(t, place)
      const refused = put(place.store(), NAME, some(10), { condition: { ifAbsent: true } })
      await t.throwsAsync(refused, { code: 'CKPT_NOT_COMMITTED' })
      t.is(await place.store().stat(NAME), undefined)
    })
  }

  test('a place that nothing was saved to is empty', async (t, place) => {
    const store = place.store()
    t.deepEqual(await store.list(), [])
    t.is(await store.stat(NAME), undefined)
    const missing = await t.throwsAsync(store.open(NAME), { code: 'CKPT_READ' })
    t.true(isMissing(missing))
    t.true(await store.remove(NAME, 'any'))
    t.false(await store.setAside(NAME, 'any', ASIDE).catch(() => false))
    t.true(store.path.length > 0)
    t.true(store.locate(NAME).includes(NAME))
  })

  test('a committed file is listed, and has the bytes and the length that were written', async (t, place) => {
    const store = place.store()
    const before = Date.now()
    for (const length of [1, 99, 100, 101, BYTES.length]) {
      await put(store, NAME, some(length))
      t.true(same(await get(store, NAME), some(length)), `${length} bytes`)
      const file = await fileOf(store, NAME)
      t.is(file.name, NAME)
      t.is(file.byteLength, length)
      t.true(file.version.length > 0)
      // Clocks of servers differ, and some count whole seconds.
      t.true(Math.abs(file.modifiedAt - before) < 3_600_000)
      t.deepEqual(await store.list(), [file])
    }
    t.deepEqual((await place.contents?.()) ?? [NAME], [NAME])
  })

  test('what one store has committed, another store of the same place has at once', async (t, place) => {
    await put(place.store(), NAME, some(1000))
    const other = place.store()
    t.deepEqual(namesOf(await other.list()), [NAME])
    t.true(same(await get(other, NAME), some(1000)))
    t.deepEqual(await other.stat(NAME), await place.store().stat(NAME))
  })

  test('a sink asks for nothing before it begins, and shows nothing before its commit', async (t, place) => {
    const store = place.store()
    store.sink(NAME)
    await put(store, OTHER, some(10))
    const sink = store.sink(NAME)
    await sink.begin(1000)
    await sink.write(some(900, 100), 100)
    await sink.write(some(100), 0)
    await sink.sync()
    t.is(await store.stat(NAME), undefined)
    t.deepEqual(namesOf(await store.list()), [OTHER])
    await sink.commit()
    t.true(same(await get(store, NAME), some(1000)))
    t.is(sink.path, store.locate(NAME))
  })

  test('an aborted save leaves what was there, and nothing else', async (t, place) => {
    const store = place.store()
    await put(store, NAME, some(50))
    const before = await fileOf(store, NAME)
    const sink = store.sink(NAME)
    await sink.begin(1000)
    await sink.write(some(900, 100), 100)
    await sink.abort()
    await sink.abort()
    t.deepEqual(await store.stat(NAME), before)
    t.true(same(await get(store, NAME), some(50)))
    t.deepEqual((await place.contents?.()) ?? [NAME], [NAME])
  })

  test('a plain save replaces, and gives the file another version', async (t, place) => {
    const store = place.store()
    await put(store, NAME, some(50))
    const before = await fileOf(store, NAME)
    await put(store, NAME, some(60, 7))
    const after = await fileOf(store, NAME)
    t.not(after.version, before.version)
    t.true(same(await get(store, NAME), some(60, 7)))
    t.is((await store.list()).length, 1)
  })

  test('a version stays the same as long as the file does', async (t, place) => {
    const store = place.store()
    await put(store, NAME, some(50))
    const file = await fileOf(store, NAME)
    await get(store, NAME)
    await put(store, OTHER, some(50))
    t.deepEqual(await store.stat(NAME), file)
    t.deepEqual(
      (await store.list()).find(({ name }) => name === NAME),
      file,
    )
  })

  test('only wanted names are listed', async (t, place) => {
    const store = place.store()
    for (const name of [NAME, OTHER, 'notes.txt']) await put(store, name, some(10))
    t.deepEqual(namesOf(await store.list()), [NAME, OTHER, 'notes.txt'].sort())
    t.deepEqual(namesOf(await store.list((name) => name.endsWith('.ckpt'))), [NAME, OTHER])
    t.deepEqual(await store.list(() => false), [])
  })

  test('names of every kind come back as they were', async (t, place) => {
    const store = place.store()
    const names = [
      'a',
      'a b+c&d=e%2F.ckpt',
      'x'.repeat(180),
      '.hidden',
      'ümläut — 検査点 🚀.ckpt',
      `${NAME}.damaged-2`,
      '<a href="b">\'',
    ]
    for (const [i, name] of names.entries()) await put(store, name, some(10 + i))
    t.deepEqual(namesOf(await store.list()), [...names].sort())
    for (const [i, name] of names.entries()) {
      t.is((await store.stat(name))?.name, name)
      t.true(same(await get(store, name), some(10 + i)))
      t.true(await store.remove(name, (await fileOf(store, name)).version))
    }
    t.deepEqual(await store.list(), [])
  })

  test('a name with folders in it, or none, is a TypeError', async (t, place) => {
    const store = place.store()
    for (const name of ['', '.', '..', 'a/b', '../a', 'a\\b', '/a', 'a\0', 1 as never]) {
      t.throws(() => store.locate(name), { instanceOf: TypeError })
      t.throws(() => store.sink(name), { instanceOf: TypeError })
      await t.throwsAsync(async () => store.stat(name), { instanceOf: TypeError })
      await t.throwsAsync(async () => store.open(name), { instanceOf: TypeError })
      await t.throwsAsync(async () => store.remove(name, 'any'), { instanceOf: TypeError })
      await t.throwsAsync(async () => store.setAside(NAME, 'any', name), { instanceOf: TypeError })
    }
  })

  test('a read keeps to the version that was opened', async (t, place) => {
    const store = place.store()
    await put(store, NAME, some(5000))
    const { version } = await fileOf(store, NAME)
    t.true(same(await get(store, NAME, version), some(5000)))
    const source = await store.open(NAME, { version })
    await put(store, NAME, some(5000, 77))
    const bytes = new Uint8Array(5000)
    const changed = await source.read(bytes, 0).then(
      () => undefined,
      (error) => error,
    )
    if (changed === undefined) t.true(same(bytes, some(5000)), 'the old bytes')
    else t.is(changed.code, 'CKPT_FILE_CHANGED')
    source.close()
    await t.throwsAsync(store.open(NAME, { version }), { code: 'CKPT_FILE_CHANGED' })
    t.true(same(await get(store, NAME), some(5000, 77)))
  })

  test('a file is removed by its version alone', async (t, place) => {
    const store = place.store()
    await put(store, NAME, some(10))
    await put(store, OTHER, some(20))
    const old = await fileOf(store, NAME)
    await put(store, NAME, some(30))
    t.false(await store.remove(NAME, old.version))
    t.true(same(await get(store, NAME), some(30)))
    t.true(await store.remove(NAME, (await fileOf(store, NAME)).version))
    t.is(await store.stat(NAME), undefined)
    t.true(await store.remove(NAME, old.version), 'it is gone already')
    t.deepEqual(namesOf(await store.list()), [OTHER])
  })

  test('a file that is set aside keeps its bytes, and replaces none', async (t, place) => {
    const store = place.store()
    await put(store, NAME, some(10))
    await put(store, ASIDE, some(20))
    const { version } = await fileOf(store, NAME)
    t.false(await store.setAside(NAME, version, ASIDE))
    t.true(same(await get(store, NAME), some(10)))
    t.true(same(await get(store, ASIDE), some(20)))
    t.true(await store.setAside(NAME, version, `${ASIDE}-2`))
    t.deepEqual(namesOf(await store.list()), [ASIDE, `${ASIDE}-2`])
    t.true(same(await get(store, `${ASIDE}-2`), some(10)))
    t.false(await store.setAside(NAME, version, `${ASIDE}-3`), 'it is gone already')
    t.deepEqual(namesOf(await store.list()), [ASIDE, `${ASIDE}-2`])
  })

  test('a file that has replaced the damaged one stays where it is', async (t, place) => {
    const store = place.store()
    await put(store, NAME, some(10))
    const { version } = await fileOf(store, NAME)
    await put(store, NAME, some(20))
    t.false(await store.setAside(NAME, version, ASIDE))
    t.deepEqual(namesOf(await store.list()), [NAME])
    t.true(same(await get(store, NAME), some(20)))
  })

  conditional(
    'a save that must find nothing is CKPT_EXISTS if there is a file',
    async (t, place) => {
      const store = place.store()
      const condition = { ifAbsent: true } as const
      await put(store, NAME, some(10), { condition })
      t.true(same(await get(store, NAME), some(10)))
      const before = await fileOf(store, NAME)
      const error = await t.throwsAsync(put(store, NAME, some(20), { condition }), {
        code: 'CKPT_EXISTS',
      })
      t.is((error as { path?: string }).path, store.locate(NAME))
      t.deepEqual(await store.stat(NAME), before)
      t.deepEqual((await place.contents?.()) ?? [NAME], [NAME])
    },
  )

  conditional(
    'a save that must find one version is CKPT_FILE_CHANGED if there is another, or none',
    async (t, place) => {
      const store = place.store()
      await put(store, NAME, some(10))
      const first = await fileOf(store, NAME)
      const condition = { ifVersion: first.version }
      const refused = { code: 'CKPT_FILE_CHANGED' }
      await put(store, NAME, some(20), { condition })
      t.true(same(await get(store, NAME), some(20)))
      await t.throwsAsync(put(store, NAME, some(30), { condition }), refused)
      await t.throwsAsync(put(store, OTHER, some(30), { condition }), refused)
      t.true(same(await get(store, NAME), some(20)))
      t.deepEqual((await place.contents?.()) ?? [NAME], [NAME])
    },
  )

  conditional('a condition that fails only at the commit changes nothing', async (t, place) => {
    const store = place.store()
    for (const [code, condition] of [
      ['CKPT_EXISTS', { ifAbsent: true }],
      ['CKPT_FILE_CHANGED', { ifVersion: '' }],
    ] as const) {
      const name = code === 'CKPT_EXISTS' ? NAME : OTHER
      if (name === OTHER) await put(store, name, some(5))
      const asked = name === NAME ? condition : { ifVersion: (await fileOf(store, name)).version }
      const sink = store.sink(name, { condition: asked })
      await sink.begin(1000)
      await sink.write(some(900, 100), 100)
      await sink.write(some(100), 0)
      await sink.sync()
      await put(place.store(), name, some(20))
      const before = await fileOf(store, name)
      await t.throwsAsync(sink.commit(), { code })
      await sink.abort()
      t.deepEqual(await store.stat(name), before)
    }
    t.deepEqual([...((await place.contents?.()) ?? [NAME, OTHER])].sort(), [NAME, OTHER])
  })

  conditional(
    'of two writers with the same condition, exactly one wins, whichever it is',
    async (t, place) => {
      for (let race = 0; race < races; race++) {
        const stores = [place.store(), place.store()]
        const present = await stores[0]!.stat(NAME)
        // In turns: both find nothing, or both find the same version.
        const replaces = present !== undefined && race % 2 === 1
        if (present !== undefined && !replaces) await stores[0]!.remove(NAME, present.version)
        const condition = replaces ? { ifVersion: present.version } : ({ ifAbsent: true } as const)
        const bytes = [some(300, race), some(400, race)]
        const results = await Promise.allSettled(
          stores.map((store, i) => put(store, NAME, bytes[i]!, { condition })),
        )
        const won = results.flatMap(({ status }, i) => (status === 'fulfilled' ? [i] : []))
        t.is(won.length, 1, JSON.stringify(results))
        const lost = results.find((result) => result.status === 'rejected')
        t.is(lost?.reason.code, replaces ? 'CKPT_FILE_CHANGED' : 'CKPT_EXISTS')
        t.true(same(await get(stores[0]!, NAME), bytes[won[0]!]!))
      }
      t.deepEqual((await place.contents?.()) ?? [NAME], [NAME])
    },
  )

  test('two writers without a condition leave one file, whole', async (t, place) => {
    for (let race = 0; race < races; race++) {
      const bytes = [some(3000, race), some(4000, race)]
      await Promise.all(bytes.map((each) => put(place.store(), NAME, each)))
      const there = await get(place.store(), NAME)
      t.true(bytes.some((each) => same(there, each)))
    }
    t.deepEqual((await place.contents?.()) ?? [NAME], [NAME])
  })
}
