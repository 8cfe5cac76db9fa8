/**
 * What a command is given of the world: where it writes, a clock, and whether anybody still reads.
 * The real process is one of these; a test brings its own.
 */

/** A stream to write text to, like `process.stdout`. */
export interface Output {
  write(text: string): unknown
  readonly isTTY?: boolean | undefined
  /** Width of the terminal; undefined where it is none. */
  readonly columns?: number | undefined
}

export interface Terminal {
  /** Results. */
  readonly stdout: Output
  /** Errors, and how far a long check has come. */
  readonly stderr: Output
  readonly env: { readonly [name: string]: string | undefined }
  /** Milliseconds since some fixed moment. */
  readonly now: () => number
  /** Aborted when the reader of `stdout` has gone away: there is nobody left to work for. */
  readonly gone: AbortSignal
}

/** Everything is as it should be. */
export const EXIT_OK = 0
/** A file is damaged, is no checkpoint or cannot be read. */
export const EXIT_FAILURE = 1
/** The command was called wrongly, and has done nothing. */
export const EXIT_USAGE = 2

/** The width to fit lines into, or undefined where they are not to be cut: no terminal. */
export function widthOf(output: Output): number | undefined {
  return output.isTTY === true && output.columns !== undefined && output.columns > 0
    ? output.columns
    : undefined
}
