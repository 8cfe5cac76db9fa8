/** The other end of contender.ts for contenders in Node; peers/protocol.py is the same in Python. */

import { readFileSync, writeFileSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { dirname } from 'node:path'
import { createInterface } from 'node:readline'

/** Takes the arguments of a request and returns a JSON value. */
// biome-ignore lint/suspicious/noExplicitAny: each call knows its own arguments
export type Calls = { readonly [name: string]: (args: any) => unknown }

/** Answers requests, a line each, until the input ends. */
export async function serve(calls: Calls): Promise<void> {
  for await (const line of createInterface({ input: process.stdin })) {
    const { id, call, args = {}, peak } = JSON.parse(line)
    let reply: object
    try {
      const run = calls[call]
      if (run === undefined) throw new Error(`no call ${call}`)
      if (peak) resetPeak()
      const before = peak ? statusBytes('VmRSS') : 0
      const value = await run(args)
      reply = {
        id,
        value,
        ...(peak ? { peak: { before, highest: statusBytes('VmHWM') } } : {}),
      }
    } catch (error) {
      reply = { id, error: error instanceof Error ? `${error.name}: ${error.message}` : `${error}` }
    }
    process.stdout.write(`${JSON.stringify(reply)}\n`)
  }
}

/** Seconds that a function takes. */
export async function seconds(run: () => unknown): Promise<number> {
  const start = performance.now()
  await run()
  return (performance.now() - start) / 1000
}

/** Syncs a file and its folder. */
export async function syncSaved(path: string): Promise<void> {
  for (const each of [path, dirname(path)]) {
    const handle = await open(each, 'r')
    try {
      await handle.sync()
    } finally {
      await handle.close()
    }
  }
}

/** A figure of /proc/self/status in bytes; 0 if there is none. */
function statusBytes(field: string): number {
  try {
    const text = readFileSync('/proc/self/status', 'utf8')
    return 1024 * Number(new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(text)?.[1] ?? 0)
  } catch {
    return 0
  }
}

function resetPeak(): void {
  // Memory that was allocated before does not count.
  globalThis.gc?.()
  try {
    writeFileSync('/proc/self/clear_refs', '5')
  } catch {
    // No Linux: the reply says 0.
  }
}
