/**
 * Programs without a library that upload an object and download it, as fast as Node can: its own HTTP client, which sends
 * memory as it is, on connections that stay. Nothing is summed and no body is signed.
 */

import { open } from 'node:fs/promises'
import { Agent, type IncomingMessage, type OutgoingHttpHeaders, request } from 'node:http'
import { AwsClient } from 'aws4fetch'
import type { BucketAddress } from '../bucket.js'

interface Message {
  readonly method: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: Uint8Array | string
}

export class PlainBucket {
  readonly #client: AwsClient
  readonly #url: string
  readonly #agent = new Agent({ keepAlive: true })

  constructor({ endpoint, bucket, region, accessKeyId, secretAccessKey }: BucketAddress) {
    this.#client = new AwsClient({ region, accessKeyId, secretAccessKey, service: 's3' })
    this.#url = `${endpoint}/${bucket}`
  }

  /** Uploads bytes by parts of `length` bytes, `atOnce` of them at once. */
  async upload(key: string, bytes: Uint8Array, atOnce: number, length: number): Promise<void> {
    const path = `${key}?uploads=`
    const begun = await textOf(await this.#send(path, { method: 'POST' }))
    const upload = `uploadId=${/<UploadId>([^<]+)</.exec(begun)![1]!}`
    const count = Math.ceil(bytes.byteLength / length)
    const etags: string[] = []
    await eachAtOnce(count, atOnce, async (i) => {
      const body = bytes.subarray(i * length, (i + 1) * length)
      const query = `partNumber=${i + 1}&${upload}`
      const answer = await this.#send(`${key}?${query}`, { method: 'PUT', body })
      etags[i] = answer.headers.etag!
      answer.resume()
    })
    const list = etags.map(
      (etag, i) => `<Part><PartNumber>${i + 1}</PartNumber><ETag>${etag}</ETag></Part>`,
    )
    const body = `<CompleteMultipartUpload>${list.join('')}</CompleteMultipartUpload>`
    await textOf(await this.#send(`${key}?${upload}`, { method: 'POST', body }))
  }

  /** Downloads an object to a file by ranges of `length` bytes, `atOnce` of them at once. */
  async download(key: string, path: string, atOnce: number, length: number): Promise<void> {
    const head = await this.#send(key, { method: 'HEAD' })
    head.resume()
    const size = Number(head.headers['content-length'])
    const file = await open(path, 'w')
    const free = Array.from({ length: atOnce }, () => new Uint8Array(length))
    try {
      await eachAtOnce(Math.ceil(size / length), atOnce, async (i) => {
        const bytes = free.pop()!
        const range = `bytes=${i * length}-${Math.min((i + 1) * length, size) - 1}`
        let done = 0
        for await (const chunk of await this.#send(key, { method: 'GET', headers: { range } })) {
          bytes.set(chunk, done)
          done += chunk.byteLength
        }
        await file.write(bytes, 0, done, i * length)
        free.push(bytes)
      })
    } finally {
      await file.close()
    }
  }

  /** Sends a request. Rejects unless the answer is a success. */
  async #send(path: string, { method, headers = {}, body }: Message): Promise<IncomingMessage> {
    const url = `${this.#url}/${path}`
    const signed = await this.#client.sign(url, { method, headers })
    const all: OutgoingHttpHeaders = Object.fromEntries(signed.headers)
    if (body !== undefined) all['content-length'] = Buffer.byteLength(body)
    const answer = await new Promise<IncomingMessage>((resolve, reject) => {
      request(url, { method, headers: all, agent: this.#agent })
        .on('response', resolve)
        .on('error', reject)
        .end(body)
    })
    const { statusCode = 0 } = answer
    if (statusCode >= 300) throw new Error(`${statusCode} ${await textOf(answer)}`)
    return answer
  }
}

async function textOf(message: IncomingMessage): Promise<string> {
  let text = ''
  for await (const chunk of message.setEncoding('utf8')) text += chunk
  return text
}

/** Calls with each number below `count`, so many at once. */
async function eachAtOnce(count: number, atOnce: number, call: (i: number) => Promise<void>) {
  let next = 0
  const work = async (): Promise<void> => {
    for (let i = next++; i < count; i = next++) await call(i)
  }
  await Promise.all(Array.from({ length: atOnce }, work))
}
