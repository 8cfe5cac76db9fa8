/** Requests by `AwsClient` of aws4fetch: signed by it, sent by `fetch`, in Node, browsers and workers. */

import { STALLED } from '../attempts.js'
import type { ObjectMetadata, S3Api, S3RequestName, S3Requests } from './api.js'
import { S3Failure } from './failures.js'
import { type Element, elementsOf, escapeXml, parseXml } from './xml.js'

/** What this library uses of aws4fetch's `AwsClient`: a request with a signature. */
export interface SigningClient {
  // biome-ignore lint/suspicious/noExplicitAny: its types are of fetch, which differ from one platform to another.
  sign(url: string, init: any): Promise<Request>
}

/** Fields of inputs that are headers. */
const HEADERS: { readonly [field: string]: string } = {
  Range: 'range',
  IfMatch: 'if-match',
  IfNoneMatch: 'if-none-match',
  ChecksumMode: 'x-amz-checksum-mode',
  ChecksumCRC32: 'x-amz-checksum-crc32',
  ChecksumAlgorithm: 'x-amz-checksum-algorithm',
  ChecksumType: 'x-amz-checksum-type',
  MpuObjectSize: 'x-amz-mp-object-size',
  CopySource: 'x-amz-copy-source',
  CopySourceIfMatch: 'x-amz-copy-source-if-match',
  CopySourceRange: 'x-amz-copy-source-range',
}

/** What the headers of an object's metadata begin with. */
const METADATA = 'x-amz-meta-'

/** Fields of inputs that are in the query. */
const QUERY: { readonly [field: string]: string } = {
  UploadId: 'uploadId',
  PartNumber: 'partNumber',
  Prefix: 'prefix',
  Delimiter: 'delimiter',
  ContinuationToken: 'continuation-token',
  MaxKeys: 'max-keys',
  KeyMarker: 'key-marker',
  UploadIdMarker: 'upload-id-marker',
}

/** The method of each request, and what its query begins with. */
const METHODS: { readonly [name in S3RequestName]: readonly [method: string, query?: string] } = {
  GetObject: ['GET'],
  HeadObject: ['HEAD'],
  PutObject: ['PUT'],
  DeleteObject: ['DELETE'],
  // Keys may have characters that XML cannot hold.
  ListObjectsV2: ['GET', 'list-type=2&encoding-type=url'],
  CreateMultipartUpload: ['POST', 'uploads='],
  UploadPart: ['PUT'],
  UploadPartCopy: ['PUT'],
  CompleteMultipartUpload: ['POST'],
  AbortMultipartUpload: ['DELETE'],
  ListMultipartUploads: ['GET', 'uploads=&encoding-type=url'],
}

/** Sends requests to one bucket at an address that ends with its name, or has it as its host. */
export class FetchApi implements S3Api {
  readonly bucket: string
  readonly stalledAfter: number
  readonly #client: SigningClient
  readonly #address: string

  /** `address` is that of the bucket: `https://bucket.s3.eu-west-1.amazonaws.com`, `http://localhost:7070/bucket`. */
  constructor(
    client: SigningClient,
    bucket: string,
    address: string | URL,
    stalledAfter = STALLED,
  ) {
    this.#client = client
    this.bucket = bucket
    this.stalledAfter = stalledAfter
    this.#address = String(address).replace(/\/+$/, '')
  }

  async send<Name extends S3RequestName>(
    name: Name,
    input: S3Requests[Name]['in'],
    signal?: AbortSignal,
  ): Promise<S3Requests[Name]['out']> {
    const [method, query = ''] = METHODS[name]
    const headers: Record<string, string> = {}
    const params = new URLSearchParams(query)
    for (const [field, value] of Object.entries(input)) {
      if (value === undefined) continue
      if (Object.hasOwn(HEADERS, field)) headers[HEADERS[field]!] = String(value)
      else if (Object.hasOwn(QUERY, field)) params.set(QUERY[field]!, String(value))
    }
    const { Key, Body, Metadata, MultipartUpload } = input as {
      readonly Metadata?: ObjectMetadata
      readonly Key?: string
      readonly Body?: Uint8Array
      readonly MultipartUpload?: S3Requests['CompleteMultipartUpload']['in']['MultipartUpload']
    }
    for (const [name, text] of Object.entries(Metadata ?? {})) headers[`${METADATA}${name}`] = text
    const key = Key === undefined ? '' : `/${encodeKey(Key)}`
    const search = params.size === 0 ? '' : `?${String(params).replaceAll('+', '%20')}`
    const body = MultipartUpload === undefined ? Body : partsXml(MultipartUpload.Parts)
    let url = `${this.#address}${key}${search}`
    const sendTo = async (): Promise<Response> => {
      const request = await this.#client.sign(url, { method, headers, aws: { service: 's3' } })
      // The body is not signed, so that it need not be summed, and copied, twice. Its CRC-32 is.
      return fetch(request.url, {
        method,
        headers: request.headers,
        cache: 'no-store',
        redirect: 'manual',
        ...(name === 'UploadPart' ? partOf(Body!, request.headers) : {}),
        ...(name === 'UploadPart' || body === undefined ? {} : { body: body as BodyInit }),
        ...(signal === undefined ? {} : { signal }),
      })
    }
    let response = await sendTo()
    for (let i = 0; i < MOST_REDIRECTS; i++) {
      const next = redirectOf(response, url)
      if (next === undefined) break
      await response.body?.cancel()
      url = next
      response = await sendTo()
    }
    if (name === 'GetObject' && response.ok) {
      return {
        Body: response.body!.getReader(),
        ETag: response.headers.get('etag') ?? undefined,
        ContentRange: response.headers.get('content-range') ?? undefined,
      } as S3Requests[Name]['out']
    }
    const text = await response.text()
    const xml = text === '' ? undefined : parseXml(text)
    // A request that takes long is answered 200 before it is known whether it succeeds.
    if (!response.ok || xml?.name === 'Error') throw failureOf(response, xml)
    return { ...headersOf(response), ...contentOf(xml) } as S3Requests[Name]['out']
  }
}

// Redirects of one request.
const MOST_REDIRECTS = 3

/**
 * Where an answer sends the same request; undefined if it does not, or to a connection that is not encrypted although this
 * one is. `fetch` itself could follow with neither a signature for the other host nor a body that is a stream.
 */
function redirectOf({ status, headers }: Response, from: string): string | undefined {
  const location = headers.get('location')
  if ((status !== 307 && status !== 308) || location === null || !URL.canParse(location, from)) {
    return undefined
  }
  const to = new URL(location, from)
  const isSafe = to.protocol === 'https:' || to.protocol === new URL(from).protocol
  return isSafe ? to.href : undefined
}

// Bytes that a connection takes at once. Each piece costs objects, so that small ones let the process's heap grow.
const PIECE = 1024 * 1024

/**
 * The body of a part for `fetch`, which copies memory that it is given, but takes a stream piece by piece. Only Node sends
 * a stream with the length that S3 wants. `headers` get it.
 */
function partOf(bytes: Uint8Array, headers: Headers): RequestInit & { duplex?: 'half' } {
  const { node, bun, deno } = globalThis.process?.versions ?? {}
  if (!node || bun || deno) return { body: bytes as BodyInit }
  headers.set('content-length', String(bytes.byteLength))
  let sent = 0
  const body = new ReadableStream<Uint8Array>(
    {
      pull(controller) {
        controller.enqueue(bytes.subarray(sent, sent + PIECE))
        sent += PIECE
        if (sent >= bytes.byteLength) controller.close()
      },
    },
    { highWaterMark: 0 },
  )
  return { body, duplex: 'half' }
}

/** A key as part of a path, or of a copy's source. A slash stays. */
export function encodeKey(key: string): string {
  return key.split('/').map(encodePart).join('/')
}

function encodePart(part: string): string {
  return encodeURIComponent(part).replace(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  )
}

function partsXml(parts: S3Requests['CompleteMultipartUpload']['in']['MultipartUpload']['Parts']) {
  const items = parts.map(({ PartNumber, ETag, ChecksumCRC32 }) => {
    const sum = ChecksumCRC32 === undefined ? '' : `<ChecksumCRC32>${ChecksumCRC32}</ChecksumCRC32>`
    return `<Part><PartNumber>${PartNumber}</PartNumber><ETag>${escapeXml(ETag)}</ETag>${sum}</Part>`
  })
  const namespace = 'http://s3.amazonaws.com/doc/2006-03-01/'
  return `<CompleteMultipartUpload xmlns="${namespace}">${items.join('')}</CompleteMultipartUpload>`
}

function failureOf(response: Response, xml: Element | undefined): S3Failure {
  const code = xml?.text('Code') ?? ''
  const isRedirect =
    response.type === 'opaqueredirect' || (response.status >= 300 && response.status < 400)
  const remedy = isRedirect ? ' (name the server that it leads to: endpoint, region)' : ''
  const message = `${xml?.text('Message') ?? response.statusText}${remedy}`
  // An answer of 200 with an error in it is one of the server's own.
  const status = response.ok ? 500 : response.status
  const retryAfter = response.headers.get('retry-after') ?? undefined
  return new S3Failure(status, code, message, { retryAfter })
}

function headersOf({ headers }: Response) {
  const length = headers.get('content-length')
  const modified = headers.get('last-modified')
  const own = [...headers].filter(([name]) => name.startsWith(METADATA))
  return {
    ETag: headers.get('etag') ?? undefined,
    ChecksumCRC32: headers.get('x-amz-checksum-crc32') ?? undefined,
    ChecksumType: headers.get('x-amz-checksum-type') ?? undefined,
    ContentLength: length === null ? undefined : Number(length),
    LastModified: modified === null ? undefined : new Date(modified),
    Metadata: Object.fromEntries(own.map(([name, text]) => [name.slice(METADATA.length), text])),
  }
}

/** What the XML of an answer says, in the fields of the outputs. */
function contentOf(xml: Element | undefined): object {
  if (xml === undefined) return {}
  const key = (text: string): string =>
    xml.text('EncodingType') === 'url' ? decodeURIComponent(text.replaceAll('+', '%20')) : text
  const optional = (name: string): string | undefined => xml.text(name) || undefined
  switch (xml.name) {
    case 'ListBucketResult':
      return {
        Contents: elementsOf(xml, 'Contents').map((object) => ({
          Key: key(object.text('Key') ?? ''),
          ETag: object.text('ETag') ?? '',
          Size: Number(object.text('Size')),
          LastModified: new Date(object.text('LastModified') ?? Number.NaN),
        })),
        NextContinuationToken: optional('NextContinuationToken'),
      }
    case 'ListMultipartUploadsResult':
      return {
        Uploads: elementsOf(xml, 'Upload').map((upload) => ({
          Key: key(upload.text('Key') ?? ''),
          UploadId: upload.text('UploadId') ?? '',
          Initiated: new Date(upload.text('Initiated') ?? Number.NaN),
        })),
        NextKeyMarker:
          xml.text('IsTruncated') === 'true' ? key(optional('NextKeyMarker') ?? '') : undefined,
        NextUploadIdMarker: optional('NextUploadIdMarker'),
      }
    case 'InitiateMultipartUploadResult':
      return { UploadId: optional('UploadId') }
    case 'CopyPartResult':
      return { CopyPartResult: { ETag: optional('ETag') } }
    case 'CompleteMultipartUploadResult':
      return {
        ETag: optional('ETag'),
        ChecksumCRC32: optional('ChecksumCRC32'),
        ChecksumType: optional('ChecksumType'),
      }
  }
  return {}
}
