/**
 * strace, attached to a process that waits to save. It records the calls, or interferes with one of them. To interfere,
 * it attaches to the one thread that makes the call. The call is then identified by its number among the calls of that
 * name in that thread since the save began.
 */

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { undoAtExit } from './clean-up.js'
import type { Saver } from './save-once.js'
import { CALLS, type Call, parseTrace } from './trace.js'

/** The effect on one call. */
export type Fault =
  /** The process is killed on entering the call, which does not happen. */
  | { readonly kind: 'kill' }
  /** The call fails without happening. */
  | { readonly kind: 'error'; readonly error: string }
  /** The call returns this without happening. */
  | { readonly kind: 'lie'; readonly returns: number }
  /** The call happens after this delay. */
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

/** Injects faults when the process saves. `tracer.injected` says afterwards whether they were injected. */
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
  /** Resolves when the process has ended, with the number of injected faults. */
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
