/** The arguments of a command: flags, which take no value, and operands. */

import { parseArgs } from 'node:util'
import { quote } from '../printable.js'

/** The command was called wrongly. `command` is the one whose usage helps. */
export class UsageError extends Error {
  readonly command: string | undefined

  constructor(message: string, command?: string) {
    super(message)
    this.command = command
  }
}

export interface CommandArguments {
  readonly flags: ReadonlySet<string>
  readonly files: readonly string[]
}

const SHORT: { readonly [letter: string]: string } = { h: 'help' }

/** Takes `argv` apart; `allowed` names the flags there are. Throws a UsageError. */
export function commandArguments(
  command: string,
  argv: readonly string[],
  allowed: readonly string[],
): CommandArguments {
  const { tokens } = parseArgs({
    args: [...argv],
    options: Object.fromEntries(allowed.map((name) => [name, { type: 'boolean' as const }])),
    strict: false,
    tokens: true,
  })
  const flags = new Set<string>()
  const files: string[] = []
  for (const token of tokens) {
    if (token.kind === 'positional') {
      if (token.value === '') throw new UsageError('the name of a file is empty', command)
      files.push(token.value)
    } else if (token.kind === 'option') {
      const name = token.rawName.startsWith('--') ? token.name : (SHORT[token.name] ?? token.name)
      if (!allowed.includes(name)) {
        throw new UsageError(`${command} has no option ${quote(token.rawName)}`, command)
      }
      if (token.value !== undefined) {
        throw new UsageError(`the option ${quote(token.rawName)} takes no value`, command)
      }
      flags.add(name)
    }
  }
  return { flags, files }
}
