/**
 * Two processes that save to one path at the same time. All orders of their calls are tried, as far as
 * the order can matter: a call on a file that only its process knows runs as soon as it is made. In
 * addition, random orders of all calls are.
 */

import fc from '../fast-check.js'
import { type Call, type Director, ModelFileSystem } from './model-file-system.js'
import { overwrite } from './plots.js'
import {
  Actor,
  type Commit,
  judgeSound,
  outcome,
  type Plot,
  type Scenario,
  settle,
} from './stage.js'
import { addTally, newTally, type Tally } from './verdict.js'
import { VERSIONS } from './versions.js'

const PATH = '/data/run/a.ckpt'

// Nothing in it changes.
const ROOT_FOLDER = '/'

// Calls whose order matters where the folder is there.
const ON_NAMES: ReadonlySet<Call['name']> = new Set([
  'readdir',
  'create',
  'openForWriting',
  'lock',
  'rename',
])

// And where it is not yet; a temporary file of the one is nothing to the other here.
const ON_FOLDERS: ReadonlySet<Call['name']> = new Set(['mkdir', 'rename'])

const isFolderSync = ({ name, on, path }: Call) =>
  name === 'fsync' && on === 'folder' && path !== ROOT_FOLDER

interface Meeting {
  readonly name: string
  readonly plot: Pick<Plot, 'plant' | 'path' | 'expectation'>
  readonly matters: (call: Call) => boolean
}

const MEETINGS = {
  overwrite: {
    name: 'Two savers, one path, every order',
    plot: overwrite,
    matters: (call) => ON_NAMES.has(call.name) || isFolderSync(call),
  },
  newFolder: {
    name: 'Two savers, into a folder that is made for it, every order',
    plot: {
      plant: (model) => model.plantFolder('/data'),
      path: PATH,
      expectation: { paths: [PATH], mode: 0o644 },
    },
    matters: (call) =>
      ON_FOLDERS.has(call.name) ||
      isFolderSync(call) ||
      (call.name === 'realpath' && call.on === undefined),
  },
} satisfies Record<string, Meeting>

/** A run of two savers; `directed` says when each of their calls runs. */
async function meet(
  { plot }: Pick<Meeting, 'plot'>,
  commit: Commit,
  director: Director,
  directed: (saves: Promise<unknown>) => Promise<unknown>,
): Promise<Tally> {
  const model = new ModelFileSystem()
  await plot.plant(model)
  model.record()
  const saves = ['A', 'B'].map((name, i) => {
    const actor = new Actor(model, model.process(name, { director }), commit)
    return outcome(actor.save(plot.path, VERSIONS[i + 1]!))
  })
  await directed(Promise.all(saves))
  await settle()
  const errors = await Promise.all(saves)
  return judgeSound({ model, error: errors.find((error) => error !== undefined) }, plot)
}

/** All orders of the calls that matter, or the first of them, as many as the limit says. */
async function everyOrder(meeting: Meeting, commit: Commit, limit: number): Promise<Tally> {
  const tally = newTally()
  let prefix: number[] | undefined = []
  while (prefix !== undefined && tally.runs < limit) {
    const taken: { choice: number; of: number }[] = []
    const begun: readonly number[] = prefix
    const turns = new Turns(meeting.matters, (of) => {
      const choice = begun[taken.length] ?? 0
      taken.push({ choice, of })
      return choice
    })
    addTally(tally, await meet(meeting, commit, turns.director, (saves) => turns.run(saves)))
    while (taken.length > 0 && taken.at(-1)!.choice === taken.at(-1)!.of - 1) taken.pop()
    const last = taken.pop()
    prefix =
      last === undefined ? undefined : [...taken.map(({ choice }) => choice), last.choice + 1]
  }
  tally.sampled ||= prefix !== undefined
  return tally
}

/** Holds back the calls that matter, and lets them go one at a time. */
class Turns {
  readonly #choose: (of: number) => number
  readonly #waiting: { readonly process: string; readonly go: () => void }[] = []
  readonly director: Director

  constructor(matters: (call: Call) => boolean, choose: (of: number) => number) {
    this.#choose = choose
    this.director = (call) => {
      if (!matters(call)) return undefined
      return new Promise((resolve) => {
        this.#waiting.push({ process: call.process, go: () => resolve(undefined) })
      })
    }
  }

  async run(saves: Promise<unknown>): Promise<void> {
    let done = false
    saves.then(() => {
      done = true
    })
    for (;;) {
      await settle()
      if (this.#waiting.length === 0) {
        if (done) return
        throw new Error('both savers wait for something that is no call')
      }
      // Whoever came first to the other one's turn stands where it did in all orders.
      this.#waiting.sort((a, b) => (a.process < b.process ? -1 : 1))
      const choice = this.#waiting.length === 1 ? 0 : this.#choose(this.#waiting.length)
      this.#waiting.splice(choice, 1)[0]!.go()
    }
  }
}

/** Random orders of all calls, the same in each run. */
async function randomOrders(commit: Commit, orders: number): Promise<Tally> {
  const tally = newTally()
  const schedulers = fc.sample(fc.scheduler(), { seed: 1, numRuns: orders })
  for (const [i, scheduler] of schedulers.entries()) {
    const director: Director = ({ process, name }) =>
      scheduler.schedule(Promise.resolve(undefined), `${process} ${name}`)
    const meeting = i % 2 === 0 ? MEETINGS.overwrite : MEETINGS.newFolder
    addTally(tally, await meet(meeting, commit, director, (saves) => scheduler.waitFor(saves)))
  }
  tally.sampled = true
  return tally
}

// More than there are for a sound commit, so that there all of them are tried.
const MOST_ORDERS = 2000

const RANDOM_ORDERS = 200

export const TWO_SAVERS: readonly Scenario[] = [
  ...Object.values(MEETINGS).map((meeting) => ({
    name: meeting.name,
    run: (commit: Commit, most = MOST_ORDERS) => everyOrder(meeting, commit, most),
  })),
  {
    name: 'Two savers, random orders of all calls',
    run: (commit: Commit, most = RANDOM_ORDERS) =>
      randomOrders(commit, Math.min(most, RANDOM_ORDERS)),
  },
]
