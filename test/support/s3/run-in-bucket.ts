/** The store of a run in a bucket, in whichever process: the location and the environment say where it is. */

import { S3Client } from '@aws-sdk/client-s3'
import { AwsClient } from 'aws4fetch'
import { S3Store } from '../../../src/io/s3/s3-store.js'

/** Bytes that make a checkpoint an upload of several parts. They never change. */
export const ballast = {
  stateDict: () => ({ b: { shape: [BALLAST.length], data: BALLAST } }),
}

const MIB = 2 ** 20
const BALLAST = new Float32Array(3 * MIB).map((_, i) => Math.fround(i * 0.1))

/** The store of `s3://bucket/prefix`, by one client or the other. */
export function runInBucket(location: string, client: 'S3Client' | 'AwsClient'): S3Store {
  const [, bucket = '', prefix = ''] = /^s3:\/\/([^/]+)\/(.*)$/.exec(location) ?? []
  const {
    AWS_REGION: region = '',
    AWS_ENDPOINT_URL_S3: endpoint = '',
    AWS_ACCESS_KEY_ID: accessKeyId = '',
    AWS_SECRET_ACCESS_KEY: secretAccessKey = '',
  } = process.env
  const options = { bucket, prefix, partLength: 5 * MIB }
  if (client === 'S3Client') {
    return new S3Store({ client: new S3Client({ forcePathStyle: true }), ...options })
  }
  const signer = new AwsClient({ region, accessKeyId, secretAccessKey })
  return new S3Store({ client: signer, endpoint, ...options })
}
