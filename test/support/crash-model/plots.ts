/** What one process does to its checkpoints, when nothing goes wrong. */

import { temporaryName } from '../../../src/io/file/temporary-file.js'
import type { Tree } from './model-disk.js'
import { find, findInode } from './model-tree.js'
import { DEAD_PROCESS, type Plot } from './stage.js'
import { VERSIONS } from './versions.js'

const [first, second, third] = VERSIONS

const PATH = '/run/a.ckpt'

export const firstSave: Plot = {
  name: 'First save',
  plant: (model) => model.plantFolder('/run'),
  act: (actor) => actor.save(PATH, first),
  path: PATH,
  expectation: { paths: [PATH], mode: 0o644 },
}

const NEW_PATH = '/data/run/checkpoints/a.ckpt'

export const newFolders: Plot = {
  name: 'First save, into folders that are made for it',
  plant: (model) => model.plantFolder('/data'),
  act: (actor) => actor.save(NEW_PATH, first),
  path: NEW_PATH,
  expectation: { paths: [NEW_PATH], mode: 0o644 },
}

export const overwrite: Plot = {
  name: 'Overwrite',
  plant: async (model) => {
    model.plantFolder('/run')
    model.plantFile(PATH, await first.bytes, { mode: 0o640 })
  },
  act: (actor) => actor.save(PATH, second),
  path: PATH,
  expectation: { paths: [PATH], mode: 0o640 },
}

export const threeSaves: Plot = {
  name: 'Three saves in a row',
  plant: (model) => model.plantFolder('/run'),
  act: async (actor) => {
    for (const version of [first, second, third]) await actor.save(PATH, version)
  },
  path: PATH,
  expectation: { paths: [PATH], mode: 0o644 },
}

const STEPS = ['/run/step-1.ckpt', '/run/step-2.ckpt', '/run/step-3.ckpt'] as const

export const rotation: Plot = {
  name: 'Rotation: the one before is removed',
  plant: (model) => model.plantFolder('/run'),
  act: async (actor) => {
    await actor.save(STEPS[0], first)
    await actor.rotate(STEPS[1], second, STEPS[0])
    await actor.rotate(STEPS[2], third, STEPS[1])
  },
  path: STEPS[2],
  expectation: { paths: STEPS, mode: 0o644, neverNone: true },
}

const LINK = '/run/latest.ckpt'

export const symbolicLink: Plot = {
  name: 'Over a symbolic link, through another one',
  plant: async (model) => {
    for (const folder of ['/run', '/store', '/store/old']) model.plantFolder(folder)
    model.plantFile('/store/old/model.ckpt', await first.bytes, { mode: 0o600 })
    model.plantLink('/run/models', '../store')
    model.plantLink(LINK, 'models/old/model.ckpt')
  },
  act: (actor) => actor.save(LINK, second),
  path: LINK,
  expectation: {
    paths: [LINK, '/store/old/model.ckpt'],
    mode: 0o600,
    also: (tree) => {
      const { inode } = find(tree, LINK, false)
      return inode !== undefined && tree.node(inode).type === 'link' ? [] : ['the link is gone']
    },
  },
}

const HOUR = 60 * 60 * 1000

/** The number of a process in the name of a temporary file. */
const numbered = (name: string, number: number) => name.replace(`.${process.pid}.`, `.${number}.`)

/** A name as a process of another machine makes it. */
const elsewhere = (name: string) =>
  name.replace(/\.[0-9a-f]{8}(\.\d+\.[0-9a-f]{16}(\.locked)?\.tmp)$/, '.0000beef$1')

const unlocked = (name: string) => temporaryName(name, { locked: false })

const left = numbered(unlocked('a.ckpt'), DEAD_PROCESS)
const forgotten = elsewhere(unlocked('a.ckpt'))
const running = elsewhere(unlocked('b.ckpt'))
// Of processes whose number is that of a living one: a container that was started again, another one.
const restarted = temporaryName('a.ckpt')
const gone = elsewhere(temporaryName('a.ckpt'))
const living = elsewhere(temporaryName('b.ckpt'))
const unrelated = '.a.ckpt.tmp'

export const swept: Plot = {
  name: 'Temporary files of dead savers are swept',
  plant: (model) => {
    model.plantFolder('/run')
    const bytes = new Uint8Array(600)
    model.plantFile(`/run/${left}`, bytes, { modified: Date.now() })
    model.plantFile(`/run/${forgotten}`, bytes, { modified: Date.now() - 48 * HOUR })
    model.plantFile(`/run/${running}`, bytes, { modified: Date.now() - HOUR })
    model.plantFile(`/run/${restarted}`, bytes, { modified: Date.now() })
    model.plantFile(`/run/${gone}`, bytes, { modified: Date.now() })
    model.plantFile(`/run/${living}`, bytes)
    model.plantLock(`/run/${living}`)
    model.plantFile(`/run/${unrelated}`, bytes)
  },
  act: (actor) => actor.save(PATH, first),
  path: PATH,
  expectation: {
    paths: [PATH],
    also: (tree: Tree) =>
      [running, living, unrelated].flatMap((name) =>
        findInode(tree, `/run/${name}`) === undefined
          ? [`${name} is somebody else's, and gone`]
          : [],
      ),
  },
  foreign: [running, living, unrelated],
}

export const PLOTS: readonly Plot[] = [
  firstSave,
  newFolders,
  overwrite,
  threeSaves,
  rotation,
  symbolicLink,
  swept,
]
