/** What the server of a store does, as far as it is known: options tell it, or a probe finds it out, once. */

import type { Checksums } from '../sink.js'
import type { S3Api } from './api.js'
import { readFailure } from './failures.js'
import { keepsConditions, verifiesChecksums } from './probe.js'

/** Checksums that a server may take or refuse: of an object by one PUT, of parts, of an object of several parts. */
export type ChecksumKind = 'put' | 'parts' | 'whole'

/** The knowledge of one store, for all of its sinks. */
export class ServerKnowledge {
  /** Whether the server takes checksums. Undefined until a sink has sent the first of a kind. */
  readonly takes: { [kind in ChecksumKind]?: boolean | undefined }
  readonly #api: S3Api
  readonly #prefix: string
  #conditions: Promise<boolean> | undefined
  #checksums: Promise<boolean> | undefined

  /** `told` is what options say. */
  constructor(
    api: S3Api,
    prefix: string,
    told: { readonly conditions?: boolean | undefined; readonly checksums?: boolean | undefined },
  ) {
    this.#api = api
    this.#prefix = prefix
    this.takes = { put: told.checksums, parts: told.checksums }
    if (told.conditions !== undefined) this.#conditions = Promise.resolve(told.conditions)
    if (told.checksums !== undefined) this.#checksums = Promise.resolve(told.checksums)
  }

  /**
   * Whether the server keeps conditions of uploads. Rejects with CKPT_READ if it cannot be found out. The next call asks
   * again.
   */
  keepsConditions(): Promise<boolean> {
    this.#conditions ??= keepsConditions(this.#api, this.#prefix).catch((error) => {
      this.#conditions = undefined
      throw readFailure(error, this.#prefix)
    })
    return this.#conditions
  }

  /** Whether the server verifies the checksums of what is sent to it. Like `keepsConditions`. */
  verifiesChecksums(): Promise<boolean> {
    this.#checksums ??= verifiesChecksums(this.#api, this.#prefix).catch((error) => {
      this.#checksums = undefined
      throw readFailure(error, this.#prefix)
    })
    return this.#checksums
  }

  /** What the server has verified of an object by checksums of this kind. It keeps its sum or not. Never rejects. */
  async verified(kind: ChecksumKind, keepsSum: boolean): Promise<Checksums> {
    const verifies = await this.verifiesChecksums().catch(() => false)
    if (!verifies || this.takes[kind] !== true) return 'none'
    return keepsSum ? 'object' : 'parts'
  }
}
