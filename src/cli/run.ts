/** The command line from its arguments to its exit code: everything except the process itself. */

import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { parseArgs } from 'node:util'
import { FORMATS } from '../exchange/formats.js'
import { type ConvertibleDType, convertibleDTypes } from '../format/convert.js'
import { FORMAT_VERSION } from '../format/head.js'
import { errorReason } from '../io/file/system-error.js'
import { quote } from '../printable.js'
import { convert } from './convert.js'
import { diff } from './diff.js'
import { HELP, OVERVIEW, USAGE } from './help.js'
import { inspect } from './inspect.js'
import { latest } from './latest.js'
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
import { view } from './view/view.js'

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
  latest: { help: COMMON.help },
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
      case 'latest':
        return await perform(command, rest, terminal)
      case 'convert':
        return await performConvert(rest, terminal)
      case 'view':
        return await performView(rest, terminal)
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
  const what = command === 'log' || command === 'latest' ? 'folder' : 'file'
  if (file === undefined) {
    throw new UsageError(`${command} needs a ${what}`)
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
    throw new UsageError(`${command} takes one ${what}, not ${files.length}`)
  }
  if (command === 'latest') return latest(file, terminal)
  return command === 'log' ? log(file, { json, health }, terminal) : inspect(file, json, terminal)
}

async function performView(argv: readonly string[], terminal: Terminal): Promise<number> {
  const { values, positionals } = asUsage(() =>
    parseArgs({
      args: [...argv],
      options: { help: COMMON.help, 'no-open': FLAG },
      allowPositionals: true,
    }),
  )
  if (values.help) {
    terminal.stdout.write(HELP.view)
    return EXIT_OK
  }
  const [location, second] = positionals
  if (!location || second !== undefined) {
    throw new UsageError('view takes one file, folder or address')
  }
  return view(location, !values['no-open'], terminal)
}

const CONVERT_OPTIONS = {
  help: COMMON.help,
  rename: { type: 'string', multiple: true },
  dtype: { type: 'string' },
  only: { type: 'string' },
  from: { type: 'string' },
  to: { type: 'string' },
  parameters: { type: 'string' },
  raw: FLAG,
  exact: FLAG,
  'dry-run': FLAG,
} as const

async function performConvert(argv: readonly string[], terminal: Terminal): Promise<number> {
  const { values, positionals } = asUsage(() =>
    parseArgs({ args: [...argv], options: CONVERT_OPTIONS, allowPositionals: true }),
  )
  if (values.help) {
    terminal.stdout.write(HELP.convert)
    return EXIT_OK
  }
  const [from, to, third] = positionals
  if (!from || !to || third !== undefined) {
    throw new UsageError('convert takes a file to read and a file to write')
  }
  const { dtype, rename = [], raw, exact, only, from: given, to: wanted } = values
  if (dtype !== undefined && !isConvertibleName(dtype)) {
    throw new UsageError(
      `nothing converts to ${quote(dtype)}: expected ${convertibleDTypes.join(', ')}`,
    )
  }
  for (const format of [values.from, values.to]) {
    if (format !== undefined && !FORMATS.some(({ name }) => name === format)) {
      const names = FORMATS.map(({ name }) => name).join(', ')
      throw new UsageError(`there is no format ${quote(format)}: expected one of ${names}`)
    }
  }
  const formats = { from: given, to: wanted }
  const options = { dtype, raw, exact, only, ...formats, dryRun: values['dry-run'] }
  const parameters =
    values.parameters === undefined ? undefined : await parameterNames(values.parameters)
  return convert(from, to, { ...options, parameters, rename: rename.map(renameRule) }, terminal)
}

/** The names in a file, one a line. Empty lines are ignored. */
async function parameterNames(path: string): Promise<string[]> {
  let text: string
  try {
    text = await readFile(path, 'utf8')
  } catch (cause) {
    throw new UsageError(
      `--parameters: expected a file with one name a line; ${quote(path)}: ${errorReason(cause)}`,
      { cause },
    )
  }
  return text.split(/\r?\n/).filter((line) => line !== '')
}

function isConvertibleName(name: string): name is ConvertibleDType {
  return (convertibleDTypes as readonly string[]).includes(name)
}

/** `FROM=TO`; a `=` of the first is not possible, and of the second belongs to it. */
function renameRule(rule: string): readonly [from: string, to: string] {
  const at = rule.indexOf('=')
  if (at < 1) {
    throw new UsageError(
      `${quote(rule)} is not a renaming: expected FROM=TO, as in --rename module.=`,
    )
  }
  return [rule.slice(0, at), rule.slice(at + 1)]
}

function parsed(
  argv: readonly string[],
  options: { readonly [name: string]: typeof FLAG | typeof COMMON.help },
): { flags: { readonly [name: string]: boolean | undefined }; files: string[] } {
  const { values, positionals: files } = asUsage(() =>
    parseArgs({ args: [...argv], options, allowPositionals: true }),
  )
  return { flags: values as { [name: string]: boolean }, files }
}

/** The parser's message names the option, which is unknown, lacks its value or takes none. */
function asUsage<T>(parse: () => T): T {
  try {
    return parse()
  } catch (error) {
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
