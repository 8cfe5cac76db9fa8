/** What a process of the resume check is told to do, and what it reports. */

/** `whole` trains without a break; `first` trains and saves; `second` restores and goes on. */
export type Part = 'whole' | 'first' | 'second'

export interface Task {
  readonly part: Part
  /** Path of the module that makes the run. */
  readonly module: string
  readonly argument: unknown
  /** Steps until the save, and after it. */
  readonly before: number
  readonly after: number
  /** Where the part leaves its observations, and the save lies. */
  readonly folder: string
}

export type Message =
  | { readonly event: 'done' }
  | { readonly event: 'failed'; readonly reason: string }
  | { readonly event: 'step'; readonly step: number }

/** The file with the state of a part after `step` steps. */
export function observationOf(part: Part, step: number): string {
  return `${part}-${step}.ckpt`
}

/** The name of what is saved and restored. */
export const SAVED = 'saved'
