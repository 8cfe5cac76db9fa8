/** Turns: A B C A B C, round after round, so that a disturbance of the machine affects all. */

/** A contender's turn in every round. */
export interface Turn {
  readonly row: string
  /** Runs once and returns the figure, in the unit of the table. */
  readonly run: (round: number) => Promise<number>
}

export interface RoundsResult {
  /** Figures by row, one for each round. */
  readonly values: ReadonlyMap<string, readonly number[]>
  /** The contenders that failed, and their errors; they have no figures. */
  readonly failed: ReadonlyMap<string, string>
}

/**
 * Runs every turn once without counting it, and then `rounds` rounds. A contender that fails is left out from then on,
 * and the others continue.
 */
export async function runRounds(turns: readonly Turn[], rounds: number): Promise<RoundsResult> {
  const values = new Map<string, number[]>()
  const failed = new Map<string, string>()
  for (let round = -1; round < rounds; round++) {
    for (const { row, run } of turns) {
      if (failed.has(row)) continue
      try {
        const value = await run(round)
        if (round === -1) values.set(row, [])
        else values.get(row)!.push(value)
      } catch (error) {
        failed.set(row, error instanceof Error ? error.message : String(error))
        values.delete(row)
      }
    }
  }
  return { values, failed }
}
