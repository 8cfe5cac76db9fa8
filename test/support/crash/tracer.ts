/**
 * strace, attached to a process that waits to save: it writes down the calls, or is in the way of one
 * of them. To be in the way it attaches to the one thread that makes the call, so that the call's
 * place among those of its name in that thread, from the save's beginning on, is the call and no other.
 */

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { undoAtExit } from './clean-up.js'
import type { Saver } from './save-once.js'
import { CALLS, type Call, parseTrace } from './trace.js'

/** What becomes of one call. */
export type Fault =
  /** The process is killed on entering it; it does not take place. */
  | { readonly kind: 'kill' }
  /** It fails without taking place. */
  | { readonly kind: 'error'; readonly error: string }
  /** It returns this without taking place. */
  | { readonly kind: 'lie'; readonly returns: number }
  /** It takes place after so long. */
  | { readonly kind: 'delay'; readonly milliseconds: number }

/** A fault at the `ordinal`th call (from 1) of that name that the thread makes. */
export interface Injection {
  readonly call: Pick<Call, 'thread' | 'name' | 'ordinal'>
  readonly fault: Fault
}

/**
 * Records every call that a process makes between the beginning and the end of its save. Calls that
 * are to fail meanwhile must be of a name that one thread alone uses. `place` is the scene's folder.
 */
export async function record(
  saver: Saver,
  place: string,
  injections: readonly Injection[] = [],
): Promise<Call[]> {
  const file = join(place, 'trace')
  const tracer = await attach(
    ['-f', '-y', '-s', '0', '-e', `trace=${CALLS}`, ...injectArguments(injections), '-o', file],
    saver.threads.main,
  )
  saver.begin()
  await saver.ended
  await tracer.ended
  return parseTrace(await readFile(file, 'utf8'), saver.threads, place)
}

/** Has faults injected when the process saves. `tracer.injected` tells afterwards whether they were. */
export async function inject(
  saver: Saver,
  injections: readonly Injection[],
  file: string,
): Promise<Injector> {
  const threads = new Set(injections.map(({ call }) => call.thread))
  const tracers = await Promise.all(
    [...threads].map(async (thread) => {
      const number = saver.threads[thread]
      if (number === undefined) throw new Error(`the process has no ${thread} thread`)
      const here = injections.filter(({ call }) => call.thread === thread)
      const output = `${file}.${thread}`
      const tracer = await attach(
        [
          ...['-y', '-s', '0', '-e', `trace=${here.map(({ call }) => call.name).join()}`],
          ...injectArguments(here),
          ...['-o', output],
        ],
        number,
      )
      return { ...tracer, output }
    }),
  )
  return {
    outputs: tracers.map(({ output }) => output),
    async injected() {
      let count = 0
      for (const { ended, output } of tracers) {
        await ended
        const text = await readFile(output, 'utf8')
        // A call that is killed on entry has no end, and no remark.
        count += text.match(/\(INJECTED\)|= \?$/gm)?.length ?? 0
      }
      return count
    },
  }
}

export interface Injector {
  /** Files with the calls of each thread, as they are made. */
  readonly outputs: readonly string[]
  /** Resolves when the process has ended, to how many faults were injected. */
  injected(): Promise<number>
}

function injectArguments(injections: readonly Injection[]): string[] {
  return injections.flatMap(({ call: { name, ordinal }, fault }) => [
    ...['-e', `inject=${name}:${faultArgument(fault)}:when=${ordinal}`],
  ])
}

function faultArgument(fault: Fault): string {
  switch (fault.kind) {
    case 'kill':
      return 'signal=SIGKILL'
    case 'error':
      return `error=${fault.error}`
    case 'lie':
      return `retval=${fault.returns}`
    case 'delay':
      return `delay_enter=${fault.milliseconds}ms`
  }
}

async function attach(args: readonly string[], thread: number): Promise<{ ended: Promise<void> }> {
  const tracer = spawn('strace', [...args, '-p', String(thread)], {
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  const stop = undoAtExit(() => tracer.kill('SIGKILL'))
  const ended = once(tracer, 'close').then(stop)
  let said = ''
  await new Promise<void>((resolve, reject) => {
    tracer.on('error', reject)
    tracer.stderr.setEncoding('utf8').on('data', (text: string) => {
      said += text
      if (said.includes('attached')) resolve()
    })
    tracer.on('close', () => reject(new Error(`strace ended at once: ${said}`)))
  })
  return { ended }
}
