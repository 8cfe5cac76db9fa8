/** The length of a run: CRASH_SCALE=10 tries ten times as much wherever that finds more. */

const scale = Number(process.env.CRASH_SCALE ?? 1)
if (!(scale > 0)) throw new RangeError('CRASH_SCALE has to be a number above 0')

/** A number of things to try, times the scale; one at least. */
export function scaled(count: number): number {
  return Math.max(1, Math.round(count * scale))
}
