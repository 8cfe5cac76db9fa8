import { constants } from 'node:buffer'
import * as fs from 'node:fs'
import { totalmem } from 'node:os'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import test from 'ava'
import { openFile } from '../../../src/io/file/file-source.js'
import { mapFile } from '../../../src/io/file/map-source.js'
import { LONG_READ } from '../../../src/io/source.js'
import { loadCheckpoint } from '../../../src/load/load.js'
import { saveCheckpoint } from '../../../src/save/save.js'
import { runChild } from '../../support/child.js'
import { memoryState } from '../../support/memory-state.js'
import { requires } from '../../support/requires.js'
import { scratchFolder } from '../../support/scratch.js'
import { sourceConforms } from '../../support/source-conformance.js'
import { collectGarbage } from '../../support/trainer/garbage-collection.js'

const BYTES = Uint8Array.from({ length: 10_000 }, (_, i) => (i * 7) % 256)

const withMaps = requires(test, 'memory maps')
const onLinux = requires(test, 'linux', 'memory maps')

async function map(path: string) {
  const source = await mapFile(await openFile(path))
  if (source === undefined) throw new Error('the file could not be mapped')
  return source
}

withMaps('any part of a file is viewed in place, also where no page begins', async (t) => {
  const path = join(await scratchFolder(t), 'file')
  fs.writeFileSync(path, BYTES)
  const source = await map(path)
  t.teardown(() => source.close())
  t.is(source.size, 10_000)
  for (const [position, length] of [
    [0, 10_000],
    [0, 0],
    [10_000, 0],
    [9_999, 1],
    [64, 5_000],
    [4_095, 3],
  ] as const) {
    const expected = BYTES.slice(position, position + length)
    const view = source.view(position, length)
    t.deepEqual(view, expected)
    // Of this part alone: whoever is given a view cannot look at what is beside it.
    t.is(view?.buffer.byteLength, length)
    const target = new Uint8Array(length)
    source.readSync(target, position)
    t.deepEqual(target, expected)
    await source.read(target.fill(0), position)
    t.deepEqual(target, expected)
  }
  await source.checkUnchanged()
})

onLinux('what the system holds of a file in memory is read without a wait', async (t) => {
  const path = join(await scratchFolder(t), 'file')
  const bytes = new Uint8Array(2 * LONG_READ).fill(7)
  fs.writeFileSync(path, bytes)
  const source = await map(path)
  t.teardown(() => source.close())
  const target = new Uint8Array(LONG_READ)
  t.deepEqual(source.readCached!([{ target, position: 5 }]), [true])
  t.deepEqual(target, bytes.subarray(5, 5 + LONG_READ))
})

withMaps(
  'a view may be written to, and neither the file nor its other readers see it',
  async (t) => {
    const path = join(await scratchFolder(t), 'file')
    fs.writeFileSync(path, BYTES)
    const [mine, other] = [await map(path), await map(path)]
    t.teardown(() => {
      mine.close()
      other.close()
    })
    mine.view(100, 200)!.fill(1)
    t.deepEqual(fs.readFileSync(path), Buffer.from(BYTES))
    t.deepEqual(other.view(100, 200), BYTES.slice(100, 300))
    // Those of the same map do.
    t.is(mine.view(150, 1)![0], 1)
    t.is(mine.view(99, 1)![0], BYTES[99])
  },
)

withMaps(
  'a file that is renamed over a mapped one, or removed, takes nothing from the map',
  async (t) => {
    const folder = await scratchFolder(t)
    const path = join(folder, 'file')
    fs.writeFileSync(path, BYTES)
    const source = await map(path)
    t.teardown(() => source.close())
    fs.writeFileSync(join(folder, 'new'), '')
    fs.renameSync(join(folder, 'new'), path)
    t.deepEqual(source.view(5_000, 100), BYTES.slice(5_000, 5_100))
    fs.rmSync(path)
    t.deepEqual(source.view(9_000, 1_000), BYTES.slice(9_000))
  },
)

withMaps(
  'a map that is closed gives no more views, and those that it gave stay good',
  async (t) => {
    const path = join(await scratchFolder(t), 'file')
    fs.writeFileSync(path, BYTES)
    const source = await map(path)
    const views = [source.view(0, 5_000)!, source.view(5_000, 5_000)!]
    source.close()
    source.close()
    t.deepEqual(Buffer.concat(views), Buffer.from(BYTES))
    const closed = { code: 'CKPT_CLOSED' }
    t.throws(() => source.view(0, 1), closed)
    t.throws(() => source.readSync(new Uint8Array(1), 0), closed)
    await t.throwsAsync(source.read(new Uint8Array(1), 0), closed)
  },
)

withMaps('an empty file is not mapped, and stays open for reading', async (t) => {
  const path = join(await scratchFolder(t), 'file')
  fs.writeFileSync(path, '')
  const file = await openFile(path)
  t.is(await mapFile(file), undefined)
  t.is(fs.fstatSync(file.fd).size, 0)
  fs.closeSync(file.fd)
})

onLinux('a file that the system cannot map stays open for reading', async (t) => {
  const folder = await scratchFolder(t)
  const fd = fs.openSync(folder, 'r')
  t.teardown(() => fs.closeSync(fd))
  const stat = fs.fstatSync(fd, { bigint: true })
  t.true(stat.size > 0n)
  t.is(await mapFile({ fd, stat }), undefined)
  t.true(fs.fstatSync(fd).isDirectory())
})

withMaps('a file that has changed since it was mapped is an error', async (t) => {
  const path = join(await scratchFolder(t), 'file')
  fs.writeFileSync(path, BYTES)
  const source = await map(path)
  t.teardown(() => source.close())
  await source.checkUnchanged()
  fs.appendFileSync(path, 'more')
  await t.throwsAsync(source.checkUnchanged(), { code: 'CKPT_FILE_CHANGED' })
})

/** How many maps of a file this process has. */
const mapsOf = (path: string) =>
  fs.readFileSync('/proc/self/maps', 'utf8').split(` ${path}`).length - 1

onLinux('a view of nothing keeps no map', async (t) => {
  const path = fs.realpathSync(await scratchFolder(t)).concat('/file')
  fs.writeFileSync(path, BYTES)
  const source = await map(path)
  const nothing = source.view(0, 0)
  t.is(mapsOf(path), 1)
  source.close()
  t.is(mapsOf(path), 0)
  t.is(nothing?.byteLength, 0)
})

onLinux('a map that is dropped without a close goes when it is collected', async (t) => {
  const path = fs.realpathSync(await scratchFolder(t)).concat('/file')
  fs.writeFileSync(path, BYTES)
  await (async () => {
    const source = await map(path)
    t.is(mapsOf(path), 1)
    t.is(source.size, BYTES.length)
  })()
  for (let tries = 0; tries < 100 && mapsOf(path) > 0; tries++) {
    await collectGarbage()
    await setTimeout(10)
  }
  t.is(mapsOf(path), 0)
})

onLinux('a map has one descriptor until it is closed, for long reads', async (t) => {
  const path = join(await scratchFolder(t), 'file')
  fs.writeFileSync(path, BYTES)
  const descriptors = () =>
    fs
      .readdirSync('/proc/self/fd')
      .map((fd) => {
        try {
          return fs.readlinkSync(`/proc/self/fd/${fd}`)
        } catch {
          return ''
        }
      })
      .filter((name) => name === fs.realpathSync(path))
  const source = await mapFile(await openFile(path))
  t.is(descriptors().length, 1)
  source?.close()
  t.is(descriptors().length, 0)
})

withMaps('a read is of the file, and not of what was written into a view', async (t) => {
  const path = join(await scratchFolder(t), 'file')
  const bytes = new Uint8Array(LONG_READ + 1).fill(3)
  fs.writeFileSync(path, bytes)
  const source = await map(path)
  t.teardown(() => source.close())
  source.view(0, bytes.length)!.fill(9)
  for (const length of [1, 100, LONG_READ - 1, LONG_READ, LONG_READ + 1]) {
    for (let i = 0; i < 6; i++) {
      const target = new Uint8Array(length)
      await source.read(target, 0)
      t.true(target.every((byte) => byte === 3))
      source.readSync(target.fill(0), 0)
      t.true(target.every((byte) => byte === 3))
    }
  }
})

onLinux('a map has the helpers that it was given, for its own file', async (t) => {
  const path = join(await scratchFolder(t), 'file')
  fs.writeFileSync(path, BYTES)
  const asked: [size: number, byteLength: number][] = []
  const source = await mapFile(await openFile(path), (file, byteLength) => {
    asked.push([file.size, byteLength])
    return []
  })
  t.teardown(() => source!.close())
  t.deepEqual(source!.helpers!(123), [])
  t.deepEqual(asked, [[10_000, 123]])
  t.is((await map(path)).helpers, undefined)
})

onLinux(
  'a file of more than 4 GiB, and of more than the memory there is, is viewed in parts',
  async (t) => {
    const path = join(await scratchFolder(t), 'file')
    fs.writeFileSync(path, '')
    // Without a byte on the disk, except for those that are written here.
    const length = Math.max(2 ** 33, 2 * totalmem())
    fs.truncateSync(path, length)
    const marks = [0, 2 ** 31 - 1, 2 ** 32 - 1, 2 ** 32 + 1, length - 1]
    const fd = fs.openSync(path, 'r+')
    for (const [i, at] of marks.entries()) fs.writeSync(fd, Uint8Array.of(i + 1), 0, 1, at)
    fs.closeSync(fd)
    const source = await map(path)
    t.teardown(() => source.close())
    t.is(source.size, length)
    for (const [i, at] of marks.entries()) t.is(source.view(at, 1)![0], i + 1)
    // Two parts that together are longer than any array of the oldest Node.
    const parts = [source.view(0, 3 * 2 ** 30)!, source.view(2 ** 32, 3 * 2 ** 30)!]
    t.deepEqual([parts[0]![2 ** 31 - 1], parts[1]![1]], [2, 4])
    // One that is too long for an array is not had, instead of ending the process. (From Node 22 on there
    // is no such length.)
    if (constants.MAX_LENGTH < Number.MAX_SAFE_INTEGER) {
      t.is(source.view(0, Number.MAX_SAFE_INTEGER), undefined)
    }
  },
)

onLinux('a map goes when it is closed and the last view of it has been collected', async (t) => {
  const path = fs.realpathSync(await scratchFolder(t)).concat('/a.ckpt')
  const w = Float32Array.from({ length: 50_000 }, (_, i) => i + 1)
  await saveCheckpoint(path, memoryState({ w }), memoryState({ w: w.map((x) => -x) }))
  const [line] = await runChild(t, 'map-lifetime', [path], { nodeArguments: ['--expose-gc'] })
  t.deepEqual(JSON.parse(line!), {
    before: 0,
    open: 1,
    source: 'map',
    'closed without views': 0,
    'closed with two views': 1,
    values: [
      [1, 50_000],
      [-1, -50_000],
    ],
    'closed with one view': 1,
    'last of its values': 50_000,
    'closed with a part of a view': 1,
    'value of the part': 3,
    'closed and nothing left': 0,
    'dropped, before': 1,
    dropped: 0,
  })
})

withMaps('the views that a checkpoint hands out stay good after it is closed', async (t) => {
  const path = join(await scratchFolder(t), 'a.ckpt')
  const w = Float32Array.from({ length: 50_000 }, (_, i) => i)
  await saveCheckpoint(path, memoryState({ w }))
  const checkpoint = await loadCheckpoint(path)
  t.is(checkpoint.source, 'map')
  const { data } = checkpoint.model.get('w')
  checkpoint.close()
  fs.rmSync(path)
  t.deepEqual(data, w)
})

onLinux('memory that was taken from a view outlives the map, or cannot be taken', async (t) => {
  const path = join(await scratchFolder(t), 'a.ckpt')
  await saveCheckpoint(path, memoryState({ w: new Float32Array(500_000).fill(3) }))
  const [line] = await runChild(t, 'map-transfer', [path], { nodeArguments: ['--expose-gc'] })
  const found: Record<string, number> = JSON.parse(line!)
  t.true(Object.keys(found).length >= 2)
  for (const [way, value] of Object.entries(found)) t.is(value, 3, way)
})

sourceConforms(
  'a map',
  async (t, bytes) => {
    const path = join(await scratchFolder(t), 'file')
    fs.writeFileSync(path, bytes)
    return {
      source: await map(path),
      change: () => fs.appendFileSync(path, 'more'),
      truncate: (length) => fs.truncateSync(path, length),
    }
  },
  withMaps,
)
