/** Requests by `S3Client` of @aws-sdk/client-s3, with its commands. */

import { type Arriving, STALLED } from '../attempts.js'
import type { ListedObject, S3Api, S3RequestName, S3Requests } from './api.js'
import { S3Failure } from './failures.js'

/** What this library uses of `S3Client`. */
export interface CommandClient {
  // biome-ignore lint/suspicious/noExplicitAny: the types of the SDK are not of this library.
  send(command: any, options?: any): Promise<any>
}

type Commands = { readonly [name: string]: new (input: object) => object }

/** The commands of the package that the client is of. Throws a TypeError if this library cannot find the package. */
async function commands(): Promise<Commands> {
  try {
    return (await import('@aws-sdk/client-s3')) as unknown as Commands
  } catch (cause) {
    throw new TypeError(
      'the client is an S3Client, whose commands are in a package that could not be loaded: install ' +
        '@aws-sdk/client-s3 next to lightwatch-checkpoint',
      { cause },
    )
  }
}

/** Sends requests to one bucket. The client knows where it is, and tries again by itself. */
export class SdkApi implements S3Api {
  readonly bucket: string
  readonly stalledAfter: number
  readonly #client: CommandClient

  constructor(client: CommandClient, bucket: string, stalledAfter = STALLED) {
    this.#client = client
    this.bucket = bucket
    this.stalledAfter = stalledAfter
  }

  async send<Name extends S3RequestName>(
    name: Name,
    input: S3Requests[Name]['in'],
    signal?: AbortSignal,
  ): Promise<S3Requests[Name]['out']> {
    const Command = (await commands())[`${name}Command`]!
    const isList = name === 'ListObjectsV2' || name === 'ListMultipartUploads'
    const encoding = isList ? { EncodingType: 'url' } : {}
    let output: Output
    try {
      const command = new Command({ Bucket: this.bucket, ...encoding, ...input })
      output = await this.#client.send(command, signal === undefined ? {} : { abortSignal: signal })
    } catch (error) {
      throw failureOf(error)
    }
    return changed(name, output) as S3Requests[Name]['out']
  }
}

interface Output {
  readonly Body?: unknown
  readonly EncodingType?: string
  readonly Contents?: readonly ListedObject[]
  readonly Uploads?: readonly { readonly Key: string }[]
}

/** An output with the bytes as they arrive, keys as they are, and lists that are there. */
function changed(name: S3RequestName, output: Output): object {
  const decoded = <T extends { readonly Key: string }>(items: readonly T[] = []): T[] =>
    output.EncodingType === 'url'
      ? items.map((item) => ({
          ...item,
          Key: decodeURIComponent(item.Key.replaceAll('+', '%20')),
        }))
      : [...items]
  switch (name) {
    case 'GetObject':
      return { ...output, Body: arrivingOf(output.Body) }
    case 'ListObjectsV2':
      return { ...output, Contents: decoded(output.Contents) }
    case 'ListMultipartUploads':
      return { ...output, Uploads: decoded(output.Uploads) }
  }
  return output
}

/** The body of an answer: a stream of Node, or of browsers. */
function arrivingOf(body: unknown): Arriving {
  if (typeof (body as Partial<ReadableStream<Uint8Array>>).getReader === 'function') {
    return (body as ReadableStream<Uint8Array>).getReader()
  }
  const stream = body as AsyncIterable<Uint8Array> & { destroy(): void }
  const chunks = stream[Symbol.asyncIterator]()
  return {
    read: async () => {
      const { done = false, value } = await chunks.next()
      return { done, value }
    },
    cancel: async () => stream.destroy(),
  }
}

/** An answer of the server as a failure; another error as it is. */
function failureOf(error: unknown): unknown {
  const { name, message, $metadata, $response } = (error ?? {}) as {
    readonly name?: string
    readonly message?: string
    readonly $metadata?: { readonly httpStatusCode?: number; readonly attempts?: number }
    readonly $response?: { readonly headers?: { readonly [name: string]: string } }
  }
  const status = $metadata?.httpStatusCode
  if (status === undefined) return error
  const code = name === 'Error' || name === 'UnknownError' ? '' : (name ?? '')
  return new S3Failure(status < 300 ? 500 : status, code, message ?? '', {
    retryAfter: $response?.headers?.['retry-after'],
    isRepeated: ($metadata?.attempts ?? 1) > 1,
  })
}
