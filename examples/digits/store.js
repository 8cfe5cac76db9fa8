/** Where the checkpoints of a run are: in a folder, or in a bucket (`s3://bucket/prefix`). */

import { AwsClient } from 'aws4fetch'
import { FolderStore } from 'lightwatch-checkpoint'
import { S3Store } from 'lightwatch-checkpoint/s3'

/** The store of a run. The environment has the region and the keys of a bucket, by the usual names. */
export function storeOf(run) {
  const [, bucket, prefix] = /^s3:\/\/([^/]+)\/?(.*)$/.exec(run) ?? []
  if (bucket === undefined) return new FolderStore(run)
  const { AWS_REGION, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN } = process.env
  const client = new AwsClient({
    region: AWS_REGION,
    accessKeyId: AWS_ACCESS_KEY_ID,
    secretAccessKey: AWS_SECRET_ACCESS_KEY,
    sessionToken: AWS_SESSION_TOKEN,
  })
  return new S3Store({ client, bucket, prefix, endpoint: process.env.AWS_ENDPOINT_URL_S3 })
}
