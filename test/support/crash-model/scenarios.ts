/** Everything that is tried on a commit. */

import { faultAtEachCall, faultFromEachCall, fullAtEachWrite, shortWrites } from './faults.js'
import { killedAtEachCall, powerCutAtEachCall } from './interruptions.js'
import { firstSave, newFolders, overwrite, PLOTS, rotation, symbolicLink } from './plots.js'
import { type Commit, judgeSound, type Plot, play, type Scenario } from './stage.js'
import { TWO_SAVERS } from './two-savers.js'
import { addTally, newTally, type Tally } from './verdict.js'

/** The same for several plots. */
function each(
  name: string,
  plots: readonly Plot[],
  run: (plot: Plot, commit: Commit) => Promise<Tally>,
): Scenario {
  return {
    name,
    async run(commit) {
      const tally = newTally()
      for (const plot of plots) addTally(tally, await run(plot, commit))
      return tally
    },
  }
}

const single = [firstSave, newFolders, overwrite, symbolicLink]

/** Without faults: a power cut at each moment of a run. */
export const PLAIN: readonly Scenario[] = PLOTS.map((plot) => ({
  name: plot.name,
  run: async (commit) => judgeSound(await play(plot, commit), plot),
}))

export const INTERRUPTED: readonly Scenario[] = [
  each('Killed before each call, then saved again', [...single, rotation], killedAtEachCall),
  each('Power cut at each moment, then saved again', [...single, rotation], powerCutAtEachCall),
]

export const FAULTY: readonly Scenario[] = [
  each('Every write cut short', single, shortWrites),
  each('One fault at each call, then saved again', single, faultAtEachCall),
  each('All calls fail from each call on, then saved again', single, faultFromEachCall),
  each('Disk full at each write, then saved again', single, fullAtEachWrite),
]

export const SCENARIOS: readonly Scenario[] = [...PLAIN, ...TWO_SAVERS, ...INTERRUPTED, ...FAULTY]
