/** A store in memory: without files, threads or folders, as a bucket is. */

import { CheckpointError } from '../../src/errors.js'
import { MemorySink } from '../../src/io/memory-sink.js'
import { MemorySource } from '../../src/io/memory-source.js'
import type { Durability, Sink } from '../../src/io/sink.js'
import type { Source } from '../../src/io/source.js'
import {
  type CheckpointStore,
  type Condition,
  checkStoredName,
  type OpenStored,
  type SinkOptions,
  type StoredFile,
  type StoreSupport,
} from '../../src/io/store.js'

interface Entry {
  readonly file: StoredFile
  readonly bytes: Uint8Array
}

/** Files by their names. A test may look at, replace and remove them, and fail any call by `before`. */
export class MemoryStore implements CheckpointStore {
  readonly path = 'memory://store'
  readonly files = new Map<string, Entry>()
  /** Calls so far, such as `open step-000000000001.ckpt`. */
  readonly calls: string[] = []
  /** Called with each call, which fails if this does. */
  before: (call: string) => unknown = () => {}
  #versions = 0

  locate(name: string): string {
    checkStoredName(name)
    return `${this.path}/${name}`
  }

  async supports(): Promise<StoreSupport> {
    return { durability: 'none', conditions: true }
  }

  async list(isWanted: (name: string) => boolean = () => true): Promise<StoredFile[]> {
    await this.#call('list')
    return [...this.files.values()].map(({ file }) => file).filter(({ name }) => isWanted(name))
  }

  async stat(name: string): Promise<StoredFile | undefined> {
    checkStoredName(name)
    await this.#call(`stat ${name}`)
    return this.files.get(name)?.file
  }

  async open(name: string, { version }: OpenStored = {}): Promise<Source> {
    checkStoredName(name)
    await this.#call(`open ${name}`)
    const entry = this.files.get(name)
    if (entry === undefined) {
      const cause = Object.assign(new Error('there is no such file'), { code: 'ENOENT' })
      throw new CheckpointError('CKPT_READ', 'there is no such file', { cause })
    }
    if (version !== undefined && version !== entry.file.version) {
      throw new CheckpointError('CKPT_FILE_CHANGED', 'it has been replaced')
    }
    return new MemorySource(entry.bytes)
  }

  sink(name: string, { condition }: SinkOptions = {}): Sink {
    const path = this.locate(name)
    const draft = new MemorySink()
    const isMet = () => condition === undefined || this.#meets(name, condition)
    const check = (): void => {
      if (isMet()) return
      const code = 'ifAbsent' in condition! ? 'CKPT_EXISTS' : 'CKPT_FILE_CHANGED'
      throw new CheckpointError(code, 'nothing was saved', { path })
    }
    return {
      path,
      begin: async (length) => {
        await this.#call(`begin ${name}`)
        check()
        await draft.begin(length)
      },
      write: async (bytes, position) => {
        await this.#call(`write ${name}`)
        await draft.write(bytes, position)
      },
      sync: () => draft.sync(),
      commit: async (): Promise<Durability> => {
        await this.#call(`commit ${name}`)
        await draft.commit()
        // Without a wait in between: the commit is one step.
        check()
        this.put(name, draft.bytes)
        return 'durable'
      },
      abort: () => draft.abort(),
    }
  }

  async remove(name: string, version: string): Promise<boolean> {
    checkStoredName(name)
    await this.#call(`remove ${name}`)
    const there = this.files.get(name)
    if (there !== undefined && there.file.version !== version) return false
    this.files.delete(name)
    return true
  }

  async setAside(name: string, version: string, as: string): Promise<boolean> {
    checkStoredName(name)
    checkStoredName(as)
    await this.#call(`setAside ${name} ${as}`)
    const there = this.files.get(name)
    if (there?.file.version !== version || this.files.has(as)) return false
    this.files.delete(name)
    this.put(as, there.bytes)
    return true
  }

  /** Puts a file there, which replaces what has its name. */
  put(name: string, bytes: Uint8Array): void {
    const version = `version ${++this.#versions}`
    const file = { name, version, byteLength: bytes.byteLength, modifiedAt: Date.now() }
    this.files.set(name, { file, bytes })
  }

  #meets(name: string, condition: Condition): boolean {
    const there = this.files.get(name)?.file.version
    return 'ifAbsent' in condition ? there === undefined : there === condition.ifVersion
  }

  async #call(call: string): Promise<void> {
    this.calls.push(call)
    await this.before(call)
  }
}
