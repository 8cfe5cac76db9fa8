/** Real processes: programs of test/support/children, run with the TypeScript loader that the tests have. */

import { type ChildProcess, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { ExecutionContext } from 'ava'

/** The last argument of Node before a program of this project's TypeScript. */
export const loadsTypeScript = fileURLToPath(new URL('typescript.cjs', import.meta.url))

export interface Child {
  readonly process: ChildProcess
  /** What it prints to its standard output, a line at a time; ends when it has ended. */
  readonly lines: AsyncIterableIterator<string>
  /** Resolves when it has ended and everything that it printed has arrived. */
  readonly ended: Promise<{
    readonly code: number | null
    readonly signal: NodeJS.Signals | null
    readonly errors: string
  }>
}

/** Starts `test/support/children/<program>.ts`. It is killed after the test, if it is still there. */
export function startChild(
  t: ExecutionContext,
  program: string,
  programArguments: readonly string[],
  { nodeArguments = [] }: { readonly nodeArguments?: readonly string[] } = {},
): Child {
  const child = spawn(
    process.execPath,
    [
      ...nodeArguments,
      loadsTypeScript,
      fileURLToPath(new URL(`children/${program}.ts`, import.meta.url)),
      ...programArguments,
    ],
    { stdio: ['ignore', 'pipe', 'pipe'] },
  )
  t.teardown(() => child.kill('SIGKILL'))
  let errors = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    errors += text
  })
  const ended = new Promise<Awaited<Child['ended']>>((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (code, signal) => resolve({ code, signal, errors }))
  })
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]()
  return { process: child, lines, ended }
}

/** Runs a program to its end, and returns what it printed. Throws where it fails. */
export async function runChild(
  t: ExecutionContext,
  program: string,
  programArguments: readonly string[],
  options: { readonly nodeArguments?: readonly string[] } = {},
): Promise<string[]> {
  const child = startChild(t, program, programArguments, options)
  const lines: string[] = []
  for await (const line of child.lines) lines.push(line)
  const { code, signal, errors } = await child.ended
  if (code !== 0) throw new Error(`${program} ended with ${code ?? signal}: ${errors}`)
  return lines
}
