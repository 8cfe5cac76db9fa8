/** Results that are kept: in memory, and in the browser's database for the next time the page is opened. */

/** Where results survive the page. */
export interface KeptResults {
  /** The results of those keys that there are. */
  get(keys: readonly string[]): Promise<Map<string, unknown>>
  put(entries: readonly (readonly [key: string, value: unknown])[]): Promise<void>
}

// Milliseconds that new results wait for others before they are written together.
const DELAY = 300

/**
 * Results by their keys. A key says all that the result depends on, so a result never becomes untrue.
 *
 * In memory each result is by itself. In the database those that are asked for together are one record, as the ten
 * thousand of a run would take seconds one by one. A database that fails (private windows, no room) is done without.
 */
export class Results {
  readonly #memory = new Map<string, unknown>()
  readonly #kept: KeptResults | undefined
  #unwritten: (readonly string[])[] = []
  #timer: ReturnType<typeof setTimeout> | undefined

  constructor(kept?: KeptResults) {
    this.#kept = kept
  }

  /** A result that is in memory. */
  peek<T>(key: string): T | undefined {
    return this.#memory.get(key) as T | undefined
  }

  /** Keeps a result in memory. */
  set(key: string, value: unknown): void {
    this.#memory.set(key, value)
    if (this.#unwritten.length > 0) this.#timer ??= setTimeout(() => this.flush(), DELAY)
  }

  /**
   * Brings results into memory from where they are kept. A group that is not there is kept as soon as all of its
   * results are in memory. Never rejects.
   */
  async load(groups: Iterable<readonly string[]>): Promise<void> {
    if (this.#kept === undefined) return
    const missing = [...groups].filter((keys) => keys.some((key) => !this.#memory.has(key)))
    if (missing.length === 0) return
    try {
      const records = missing.map((keys) => [recordKey(keys), keys] as const)
      const found = await this.#kept.get(records.map(([key]) => key))
      for (const [record, keys] of records) {
        const values = found.get(record)
        if (!Array.isArray(values) || values.length !== keys.length) this.#unwritten.push(keys)
        else for (const [i, key] of keys.entries()) this.#memory.set(key, values[i])
      }
    } catch {
      // They are computed again.
    }
  }

  /** Writes the groups that are complete. Never rejects. */
  async flush(): Promise<void> {
    clearTimeout(this.#timer)
    this.#timer = undefined
    const isComplete = (keys: readonly string[]) => keys.every((key) => this.#memory.has(key))
    const complete = new Set(this.#unwritten.filter(isComplete))
    this.#unwritten = this.#unwritten.filter((keys) => !complete.has(keys))
    if (complete.size === 0) return
    const entries = Array.from(
      complete,
      (keys) => [recordKey(keys), keys.map((key) => this.#memory.get(key))] as const,
    )
    await this.#kept?.put(entries).catch(() => {})
  }
}

/** A name for a group: how many keys it has, and a hash of 64 bits of their text. */
function recordKey(keys: readonly string[]): string {
  const text = keys.join('\n')
  let [a, b] = [0x811c9dc5, 0x9e3779b9]
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    a = Math.imul(a ^ code, 0x01000193)
    b = Math.imul((b ^ (b >>> 15)) + code, 0x85ebca6b)
  }
  return `${keys.length} ${(a >>> 0).toString(36)} ${(b >>> 0).toString(36)}`
}

const STORE = 'results'

// The version of the database is that of the results: what another version of the page computed is dropped.
const VERSION = 1

// Most records that are kept: about 100 MB. Beyond that all are dropped, and computed anew when they are needed.
const MOST = 10_000

/** Results in the browser's database; undefined where there is none. */
export function databaseResults(
  name = 'lightwatch-checkpoint-viewer',
  factory: IDBFactory | undefined = databases(),
): KeptResults | undefined {
  if (factory === undefined) return undefined
  let opened: Promise<IDBDatabase> | undefined
  const database = (): Promise<IDBDatabase> => {
    opened ??= openDatabase(factory, name)
    return opened
  }
  return {
    async get(keys) {
      const store = (await database()).transaction(STORE, 'readonly').objectStore(STORE)
      const found = new Map<string, unknown>()
      await new Promise<void>((resolve, reject) => {
        const { transaction } = store
        transaction.oncomplete = () => resolve()
        transaction.onerror = transaction.onabort = () => reject(transaction.error)
        for (const key of keys) {
          const request = store.get(key)
          request.onsuccess = () => {
            if (request.result !== undefined) found.set(key, request.result)
          }
        }
      })
      return found
    },
    async put(entries) {
      const store = (await database()).transaction(STORE, 'readwrite').objectStore(STORE)
      const { transaction } = store
      for (const [key, value] of entries) store.put(value, key)
      await new Promise<void>((resolve, reject) => {
        transaction.oncomplete = () => resolve()
        transaction.onerror = transaction.onabort = () => reject(transaction.error)
      })
    },
  }
}

/** Even to look at it throws where storage is forbidden. */
function databases(): IDBFactory | undefined {
  try {
    return globalThis.indexedDB
  } catch {
    return undefined
  }
}

function openDatabase(factory: IDBFactory, name: string): Promise<IDBDatabase> {
  return new Promise((resolve, reject) => {
    const request = factory.open(name, VERSION)
    request.onupgradeneeded = () => {
      const { result } = request
      for (const store of result.objectStoreNames) result.deleteObjectStore(store)
      result.createObjectStore(STORE)
    }
    request.onerror = () => reject(request.error)
    request.onblocked = () => reject(new Error('another page holds an older database'))
    request.onsuccess = () => {
      const { result } = request
      result.onversionchange = () => result.close()
      const store = result.transaction(STORE, 'readwrite').objectStore(STORE)
      const count = store.count()
      count.onsuccess = () => {
        if (count.result > MOST) store.clear()
        resolve(result)
      }
      count.onerror = () => reject(count.error)
    }
  })
}
