/** The command line from its arguments to its exit code. Everything but the process itself. */

import { createRequire } from 'node:module'
import { FORMAT_VERSION } from '../format/head.js'
import { quote } from '../printable.js'
import { UsageError } from './arguments.js'
import { errorText, printError } from './error-text.js'
import { helpText, isCommand, usageText } from './help.js'
import { inspect } from './inspect.js'
import { EXIT_FAILURE, EXIT_OK, EXIT_USAGE, type Terminal } from './terminal.js'
import { verify } from './verify.js'

/** Runs what `argv` (without the program's own name) asks for. Never throws. */
export async function run(argv: readonly string[], terminal: Terminal): Promise<number> {
  try {
    return await dispatch(argv, terminal)
  } catch (error) {
    if (error instanceof UsageError) {
      terminal.stderr.write(`ckpt: ${errorText(error)}\n${usageText(error.command)}`)
      return EXIT_USAGE
    }
    printError(terminal, error)
    return EXIT_FAILURE
  }
}

async function dispatch(argv: readonly string[], terminal: Terminal): Promise<number> {
  const [command, ...rest] = argv
  switch (command) {
    case undefined:
      throw new UsageError('a command is missing')
    case 'inspect':
      return inspect(rest, terminal)
    case 'verify':
      return verify(rest, terminal)
    case 'help':
      return help(rest, terminal)
    case '--help':
    case '-h':
      return help([], terminal)
    case '--version':
      terminal.stdout.write(`lightwatch-checkpoint ${packageVersion()}, format ${FORMAT_VERSION}\n`)
      return EXIT_OK
  }
  throw new UsageError(
    `there is no ${command.startsWith('-') ? 'option' : 'command'} ${quote(command)}`,
  )
}

function help([topic, second]: readonly string[], terminal: Terminal): number {
  if (second !== undefined) throw new UsageError('help takes one command', 'help')
  if (topic !== undefined && topic !== '--help' && topic !== '-h' && !isCommand(topic)) {
    throw new UsageError(`there is no command ${quote(topic)}`)
  }
  terminal.stdout.write(helpText(topic !== undefined && isCommand(topic) ? topic : undefined))
  return EXIT_OK
}

/** Of this package, wherever it is installed and whether it is compiled or not. */
function packageVersion(): string {
  return createRequire(import.meta.url)('lightwatch-checkpoint/package.json').version
}
