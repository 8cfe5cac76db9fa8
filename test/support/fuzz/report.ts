/** What a run of the fuzzer comes to, in numbers and in words. */

import type { Failure, Stretch, StretchResult, TargetName } from './campaign.js'

/** Most memory that a worker may have had, in bytes. */
export const MEMORY_LIMIT = 768 * 2 ** 20

/** What failed, and how to see it again. */
export function describeFailure({ target, seed, index, error, input }: Failure): string {
  return `FAILED: --targets ${target} --seed ${seed} --from ${index} --count 1\n${error}\n${input}`
}

// Outcomes of inputs that were refused before the verifier saw them.
const BEFORE_VERIFIER =
  /^(CKPT_(NOT_A_CHECKPOINT|VERSION|FILE_LENGTH|METADATA_CHECKSUM)|CKPT_FORMAT (head|version|metadata_length)|longer than)/

export class Report {
  readonly failures: Failure[] = []
  readonly #tallies = new Map<TargetName, Map<string, number>>()
  readonly #start = performance.now()
  #peakMemory = 0
  #slowest = 0

  add(stretch: Stretch, result: StretchResult | Failure): void {
    if ('error' in result) {
      this.failures.push(result)
      return
    }
    const tally = this.#tallies.get(stretch.target) ?? new Map<string, number>()
    this.#tallies.set(stretch.target, tally)
    for (const [outcome, count] of result.tally) {
      tally.set(outcome, (tally.get(outcome) ?? 0) + count)
    }
    this.failures.push(...result.failures)
    this.#peakMemory = Math.max(this.#peakMemory, result.peakMemory)
    this.#slowest = Math.max(this.#slowest, result.slowest)
  }

  /** Number of inputs so far. */
  get inputs(): number {
    let inputs = 0
    for (const target of this.#tallies.keys()) inputs += this.#inputsOf(target)
    return inputs
  }

  /** Most memory that a worker has had, in bytes. */
  get peakMemory(): number {
    return this.#peakMemory
  }

  /** How many inputs of a target have come to what. */
  outcomes(target: TargetName): ReadonlyMap<string, number> {
    return this.#tallies.get(target) ?? new Map()
  }

  /** Which part of the inputs of a target was not refused before the verifier saw it. */
  reachedVerifier(target: TargetName): number {
    let early = 0
    for (const [outcome, count] of this.outcomes(target)) {
      if (BEFORE_VERIFIER.test(outcome)) early += count
    }
    return 1 - early / Math.max(1, this.#inputsOf(target))
  }

  get failed(): boolean {
    return this.failures.length > 0 || this.#peakMemory > MEMORY_LIMIT
  }

  /** A line, for a log. */
  line(): string {
    const seconds = (performance.now() - this.#start) / 1000
    const perSecond = Math.round(this.inputs / seconds)
    return (
      `${this.inputs} inputs in ${Math.round(seconds)} s (${perSecond}/s), ` +
      `${this.failures.length} failures, slowest ${this.#slowest.toFixed(1)} ms, ` +
      `peak memory ${Math.round(this.#peakMemory / 2 ** 20)} MiB`
    )
  }

  toString(): string {
    const lines = [this.line()]
    for (const [target, tally] of this.#tallies) {
      const inputs = this.#inputsOf(target)
      const percent = (100 * this.reachedVerifier(target)).toFixed(1)
      const reached = target === 'cpp' ? '' : `, ${percent} % of them reached the verifier`
      lines.push('', `${target}: ${inputs} inputs${reached}`)
      for (const [outcome, count] of [...tally].sort((a, b) => b[1] - a[1])) {
        lines.push(`  ${String(count).padStart(10)}  ${outcome}`)
      }
    }
    for (const failure of this.failures) lines.push('', describeFailure(failure))
    return lines.join('\n')
  }

  #inputsOf(target: TargetName): number {
    let inputs = 0
    for (const count of this.#tallies.get(target)?.values() ?? []) inputs += count
    return inputs
  }
}
