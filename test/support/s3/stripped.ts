/** A proxy that takes headers out of requests, as some proxies and servers ignore what they do not know. */

import { clientOf, s3Server } from './bucket.js'
import { type FaultProxy, type Rewrite, startFaultProxy } from './fault-proxy.js'

// What belongs to one connection, or to the signature that is replaced.
const OF_CONNECTION =
  /^(host|connection|expect|content-length|transfer-encoding|authorization|x-amz-date|x-amz-content-sha256)$/

/** Whether a header of a request for this path and query is taken out. */
export type Stripped = (header: string, url: string) => boolean

/** Starts a proxy that strips the headers that `isStripped` names, and signs the rest again. */
export async function startStrippingProxy(isStripped: Stripped): Promise<FaultProxy> {
  const { endpoint } = await s3Server()
  const signer = await clientOf('AwsClient')
  const rewrite: Rewrite = async ({ method, url, headers, body }) => {
    const kept: Record<string, string> = {}
    for (const [name, value] of Object.entries(headers)) {
      if (!OF_CONNECTION.test(name) && !isStripped(name, url)) kept[name] = String(value)
    }
    const aws = { service: 's3' }
    const signed = await signer.sign(`${endpoint}${url}`, { method, headers: kept, aws })
    // The sums of parts are in the text of a completion, too.
    const text =
      isStripped('x-amz-checksum-algorithm', url) && url.includes('uploadId=') && method === 'POST'
    const sent = text
      ? Buffer.from(String(body).replaceAll(/<ChecksumCRC32>[^<]*<\/ChecksumCRC32>/g, ''))
      : body
    return {
      headers: { ...Object.fromEntries(signed.headers), 'content-length': String(sent.byteLength) },
      body: sent,
    }
  }
  return startFaultProxy(endpoint, rewrite)
}
