/** Turns: A B C A B C, one round after the other, so that what disturbs the machine disturbs all. */

/** One that takes its turn in every round. */
export interface Turn {
  readonly row: string
  /** Does it once and returns the figure, of whatever unit the table has. */
  readonly run: (round: number) => Promise<number>
}

export interface RoundsResult {
  /** Figures by row, one for each round. */
  readonly values: ReadonlyMap<string, readonly number[]>
  /** Who failed, and with what; they have no figures. */
  readonly failed: ReadonlyMap<string, string>
}

/**
 * Runs every turn once without counting it, and then `rounds` rounds. One that fails is left out from
 * then on, and the others go on.
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
