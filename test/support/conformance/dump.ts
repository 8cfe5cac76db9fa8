/**
 * A file byte by byte, with what each of them means: what docs/format.md shows of the corpus'
 * `valid/example.ckpt`.
 *
 *   npx tsx test/support/conformance/dump.ts           prints it
 *   npx tsx test/support/conformance/dump.ts --write   puts it into the document
 */

import { readFile, writeFile } from 'node:fs/promises'
import { pathToFileURL } from 'node:url'
import { description } from '../../../generated/description.js'
import { DType } from '../../../generated/lightwatch/format/dtype.js'
import { ValueKind } from '../../../generated/lightwatch/format/value-kind.js'
import type { ElementType, FieldDescription, FieldType } from '../../../src/format/description.js'

export const DOCUMENT = new URL('../../../docs/format.md', import.meta.url)
export const EXAMPLE = new URL('../../conformance/valid/example.ckpt', import.meta.url)

const START = '```hexdump\n'
const END = '```\n'

/** Bytes in a line. */
const WIDTH = 8

// What the root table is called.
const ROOT = 'root'

interface Part {
  readonly at: number
  readonly size: number
  readonly text: string
}

/** The lines of the dump: position, bytes, meaning. Every byte of the file stands in one of them. */
export function dump(bytes: Uint8Array): string {
  const lines: string[] = []
  let end = 0
  const add = ({ at, size, text }: Part): void => {
    for (let done = 0; done < size; done += WIDTH) {
      const piece = bytes.subarray(at + done, at + Math.min(size, done + WIDTH))
      const hex = Array.from(piece, (byte) => byte.toString(16).padStart(2, '0')).join(' ')
      lines.push(
        `${place(at + done)}  ${hex.padEnd(3 * WIDTH)} ${done === 0 ? text : ''}`.trimEnd(),
      )
    }
  }
  const { parts, metadataLength } = new Dissection(bytes)
  const idleBetween = (from: number, to: number): Part[] => {
    const within = Math.min(Math.max(from, metadataLength), to)
    return [
      { at: from, size: within - from, text: 'padding' },
      { at: within, size: to - within, text: 'gap' },
    ].filter(({ size }) => size > 0)
  }
  for (const part of parts) {
    if (part.at < end) throw new Error(`two things stand at ${place(part.at)}`)
    for (const idle of idleBetween(end, part.at)) add(idle)
    add(part)
    end = part.at + part.size
  }
  if (end !== bytes.byteLength) throw new Error(`nothing is known of what follows ${place(end)}`)
  return `${lines.join('\n')}\n`
}

function place(at: number): string {
  return at.toString(16).padStart(4, '0')
}

class Dissection {
  readonly #bytes: Uint8Array
  readonly #view: DataView
  readonly #parts = new Map<number, Part>()

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    const root = this.#view.getUint32(0, true)
    this.#add(0, 4, `the root table is at ${place(root)}`)
    this.#add(4, 4, `file identifier "${description.identifier}"`)
    this.#table(root, description.root, ROOT)
  }

  get metadataLength(): number {
    const root = this.#view.getUint32(0, true)
    const vtable = root - this.#view.getInt32(root, true)
    const { slot } = description.tables.Checkpoint!.find(({ name }) => name === 'metadata_length')!
    return this.#view.getUint32(root + this.#view.getUint16(vtable + slot, true), true)
  }

  /** In the order of the file. */
  get parts(): Part[] {
    return [...this.#parts.values()].sort((a, b) => a.at - b.at)
  }

  #add(at: number, size: number, text: string): void {
    // What is shared, as vtables are, is named after the first that refers to it.
    if (!this.#parts.has(at)) this.#parts.set(at, { at, size, text })
  }

  #table(at: number, type: string, path: string): void {
    const vtable = at - this.#view.getInt32(at, true)
    this.#add(at, 4, `${path}: ${type}, its vtable at ${place(vtable)}`)
    const length = this.#view.getUint16(vtable, true)
    this.#add(vtable, 2, `vtable of ${type}: ${length} bytes`)
    this.#add(vtable + 2, 2, `  the table: ${this.#view.getUint16(vtable + 2, true)} bytes`)
    for (const field of description.tables[type]!) {
      if (field.slot >= length) continue
      const entry = this.#view.getUint16(vtable + field.slot, true)
      const where = entry === 0 ? 'not there' : `at +${entry}`
      this.#add(vtable + field.slot, 2, `  ${field.name}: ${where}`)
      if (entry !== 0) this.#field(at, at + entry, field, path)
    }
  }

  #field(table: number, at: number, { name, type }: FieldDescription, path: string): void {
    if (type.base === 'scalar') {
      this.#add(at, type.size, `  ${name} = ${this.#scalar(at, name, type)}`)
      return
    }
    const target = at + this.#view.getUint32(at, true)
    this.#add(at, 4, `  ${name} at ${place(target)}`)
    const inner = path === ROOT ? name : `${path}.${name}`
    if (type.base === 'table') this.#table(target, type.table, inner)
    else if (type.base === 'string') this.#string(target, inner)
    else if (type.base === 'vector') {
      if (type.segment) this.#segment(target, table, inner)
      else this.#vector(target, type.element, inner)
    }
  }

  #scalar(at: number, name: string, { size, scalar }: FieldType & { base: 'scalar' }) {
    const view = this.#view
    if (scalar === 'float64') return String(view.getFloat64(at, true))
    if (name === 'dtype') return DType[view.getUint8(at)]
    if (name === 'kind') return ValueKind[view.getUint8(at)]
    if (size === 8) return String(view.getBigUint64(at, true))
    if (name.endsWith('crc32')) return view.getUint32(at, true).toString(16).padStart(8, '0')
    return String(size === 4 ? view.getUint32(at, true) : view.getUint8(at))
  }

  #string(at: number, path: string): void {
    const length = this.#view.getUint32(at, true)
    const text = new TextDecoder().decode(this.#bytes.subarray(at + 4, at + 4 + length))
    this.#add(at, 4, `${path}: ${length} byte${length === 1 ? '' : 's'}`)
    this.#add(at + 4, length, `  ${JSON.stringify(text)}`)
    this.#add(at + 4 + length, 1, '  its zero')
  }

  #vector(at: number, element: ElementType, path: string): void {
    const length = this.#view.getUint32(at, true)
    this.#add(at, 4, `${path}: ${length} element${length === 1 ? '' : 's'}`)
    for (let i = 0; i < length; i++) {
      if (element.base === 'scalar') {
        const position = at + 4 + i * element.size
        this.#add(position, element.size, `  ${this.#view.getBigUint64(position, true)}`)
      } else if (element.base === 'table') {
        const position = at + 4 + 4 * i
        const target = position + this.#view.getUint32(position, true)
        this.#add(position, 4, `  [${i}] at ${place(target)}`)
        this.#table(target, element.table, `${path}[${i}]`)
      }
    }
  }

  #segment(at: number, table: number, path: string): void {
    const length = this.#view.getUint32(at, true)
    this.#add(at, 4, `${path}: ${length} byte${length === 1 ? '' : 's'}`)
    const vtable = table - this.#view.getInt32(table, true)
    const { slot } = description.tables.Tensor!.find(({ name }) => name === 'offset')!
    const offset = this.#view.getBigUint64(table + this.#view.getUint16(vtable + slot, true), true)
    if (offset !== BigInt(at + 4)) throw new Error(`${path} is not where its offset says`)
    this.#add(at + 4, length, '  the segment')
  }
}

/** The dump that stands in a document. */
export function dumpIn(document: string): string {
  const [start, end] = rangeIn(document)
  return document.slice(start, end)
}

function rangeIn(document: string): [start: number, end: number] {
  const start = document.indexOf(START)
  const end = document.indexOf(END, start + START.length)
  if (start === -1 || end === -1) throw new Error('the document has no hexdump')
  return [start + START.length, end]
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const found = dump(await readFile(EXAMPLE))
  if (process.argv.includes('--write')) {
    const document = await readFile(DOCUMENT, 'utf8')
    const [start, end] = rangeIn(document)
    await writeFile(DOCUMENT, document.slice(0, start) + found + document.slice(end))
  } else process.stdout.write(found)
}
