/** The command line from its arguments to its exit code: everything except the process itself. */

import { createRequire } from 'node:module'
import { parseArgs } from 'node:util'
import { FORMAT_VERSION } from '../format/head.js'
import { quote } from '../printable.js'
import { diff } from './diff.js'
import { HELP, OVERVIEW, USAGE } from './help.js'
import { inspect } from './inspect.js'
import { log } from './log.js'
import {
  EXIT_FAILURE,
  EXIT_OK,
  EXIT_USAGE,
  errorText,
  printError,
  type Terminal,
} from './terminal.js'
import { verify } from './verify.js'

/** The command was called with wrong arguments. */
class UsageError extends Error {
  override readonly name = 'UsageError'
}

type Command = keyof typeof USAGE

const COMMON = {
  json: { type: 'boolean', default: false },
  help: { type: 'boolean', default: false, short: 'h' },
} as const

const FLAG = { type: 'boolean', default: false } as const

/** What each command that works on files takes. */
const OPTIONS = {
  inspect: COMMON,
  verify: COMMON,
  diff: { ...COMMON, tensors: FLAG, quick: FLAG, 'exit-code': FLAG },
  log: { ...COMMON, health: FLAG },
} as const

/** Runs the command in `argv` (without the program's own name) and returns the exit code. Never throws. */
export async function run(argv: readonly string[], terminal: Terminal): Promise<number> {
  const [command, ...rest] = argv
  try {
    switch (command) {
      case undefined:
        throw new UsageError('a command is missing')
      case 'inspect':
      case 'verify':
      case 'diff':
      case 'log':
        return await perform(command, rest, terminal)
      case 'help':
      case '--help':
      case '-h':
        return help(command === 'help' ? rest : [], terminal)
      case '--version':
        terminal.stdout.write(
          `lightwatch-checkpoint ${packageVersion()}, format ${FORMAT_VERSION}\n`,
        )
        return EXIT_OK
    }
    const kind = command.startsWith('-') ? 'option' : 'command'
    throw new UsageError(`there is no ${kind} ${quote(command)}`)
  } catch (error) {
    if ((error as Partial<Error> | undefined)?.name === 'UsageError') {
      terminal.stderr.write(`ckpt: ${errorText(error)}\n${usageText(command)}`)
      return EXIT_USAGE
    }
    printError(terminal, error)
    return EXIT_FAILURE
  }
}

async function perform(
  command: keyof typeof OPTIONS,
  argv: readonly string[],
  terminal: Terminal,
): Promise<number> {
  const { flags, files } = parsed(argv, OPTIONS[command])
  const { json = false, health = false } = flags
  if (flags.help) {
    terminal.stdout.write(HELP[command])
    return EXIT_OK
  }
  const [file, second] = files
  if (file === undefined) {
    throw new UsageError(`${command} needs a ${command === 'log' ? 'folder' : 'file'}`)
  }
  if (files.includes('')) throw new UsageError('the name of a file is empty')
  if (command === 'verify') return verify(files, json, terminal)
  if (command === 'diff') {
    if (second === undefined || files.length > 2) {
      throw new UsageError(`diff takes two files, not ${files.length}`)
    }
    const { tensors = false, quick = false, 'exit-code': exitCode = false } = flags
    return diff([file, second], { json, exitCode, tensors, quick }, terminal)
  }
  if (files.length > 1) {
    const what = command === 'log' ? 'folder' : 'file'
    throw new UsageError(`${command} takes one ${what}, not ${files.length}`)
  }
  return command === 'log' ? log(file, { json, health }, terminal) : inspect(file, json, terminal)
}

function parsed(
  argv: readonly string[],
  options: { readonly [name: string]: typeof FLAG | typeof COMMON.help },
): { flags: { readonly [name: string]: boolean | undefined }; files: string[] } {
  try {
    const { values, positionals: files } = parseArgs({
      args: [...argv],
      options,
      allowPositionals: true,
    })
    return { flags: values as { [name: string]: boolean }, files }
  } catch (error) {
    // The parser's message names the option, which is unknown or takes no value.
    throw new UsageError(errorText(error), { cause: error })
  }
}

function help([topic, second]: readonly string[], terminal: Terminal): number {
  if (second !== undefined) throw new UsageError('help takes one command')
  if (topic !== undefined && topic !== '--help' && topic !== '-h' && !isCommand(topic)) {
    throw new UsageError(`there is no command ${quote(topic)}`)
  }
  terminal.stdout.write(isCommand(topic) ? HELP[topic] : OVERVIEW)
  return EXIT_OK
}

function isCommand(name: string | undefined): name is Command {
  return name !== undefined && Object.hasOwn(USAGE, name)
}

/** The lines that follow the message of a UsageError. */
function usageText(command: string | undefined): string {
  if (isCommand(command) && command !== 'help') {
    return `usage: ${USAGE[command]}\ntry:   ckpt help ${command}\n`
  }
  return `usage: ${Object.values(USAGE).join('\n       ')}\n`
}

/** The version of this package, wherever it is installed, and whether it is compiled or not. */
function packageVersion(): string {
  return createRequire(import.meta.url)('lightwatch-checkpoint/package.json').version
}
