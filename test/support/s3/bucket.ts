/** A bucket on a real server for one test file, by either client. */

import { S3Client } from '@aws-sdk/client-s3'
import { AwsClient } from 'aws4fetch'
import { type S3Server, startS3Server } from '../../../scripts/s3-server.js'
import type { S3Api } from '../../../src/io/s3/api.js'
import { FetchApi } from '../../../src/io/s3/fetch-api.js'
import { SdkApi } from '../../../src/io/s3/sdk-api.js'

/** The clients that the library takes. */
export type ClientName = 'S3Client' | 'AwsClient'
/** All of them. */
export const clientNames: readonly ClientName[] = ['S3Client', 'AwsClient']

/** What tests know of a server. */
export type BucketServer = Omit<S3Server, 'stop'>

let server: Promise<BucketServer> | undefined
let buckets = 0

/**
 * The server of this test file: the one that S3_TEST_ENDPOINT names, for a second opinion, or one that starts with the first
 * call and ends with the process.
 */
export function s3Server(): Promise<BucketServer> {
  const endpoint = process.env.S3_TEST_ENDPOINT
  server ??= endpoint === undefined ? startS3Server() : Promise.resolve(serverAt(endpoint))
  return server
}

function serverAt(endpoint: string): BucketServer {
  const {
    AWS_REGION: region = 'us-east-1',
    AWS_ACCESS_KEY_ID: accessKeyId = 'test',
    AWS_SECRET_ACCESS_KEY: secretAccessKey = 'test',
  } = process.env
  const environment = {
    AWS_ENDPOINT_URL_S3: endpoint,
    AWS_REGION: region,
    AWS_ACCESS_KEY_ID: accessKeyId,
    AWS_SECRET_ACCESS_KEY: secretAccessKey,
  }
  return { endpoint, region, accessKeyId, secretAccessKey, environment }
}

/** A client of the server, or of `endpoint` in front of it, such as a proxy. */
export async function clientOf(name: 'S3Client', endpoint?: string): Promise<S3Client>
export async function clientOf(name: 'AwsClient', endpoint?: string): Promise<AwsClient>
export async function clientOf(name: ClientName, endpoint?: string): Promise<S3Client | AwsClient>
export async function clientOf(name: ClientName, endpoint?: string) {
  const { endpoint: own, region, accessKeyId, secretAccessKey } = await s3Server()
  const credentials = { accessKeyId, secretAccessKey }
  if (name === 'AwsClient') return new AwsClient({ ...credentials, region, service: 's3' })
  return new S3Client({
    endpoint: endpoint ?? own,
    region,
    credentials,
    forcePathStyle: true,
    // The library tries again by itself.
    maxAttempts: 1,
  })
}

/** A new bucket, and its requests by that client. */
export async function bucketOf(name: ClientName, through?: string): Promise<S3Api> {
  const bucket = `test-${process.pid}-${++buckets}`
  await bucketNamed(bucket)
  return apiOf(name, bucket, through)
}

/** Creates a bucket, if there is none of that name. */
export async function bucketNamed(bucket: string): Promise<void> {
  const { endpoint } = await s3Server()
  const admin = await clientOf('AwsClient')
  await (await admin.fetch(`${endpoint}/${bucket}`, { method: 'PUT' })).arrayBuffer()
}

/** The requests to a bucket by that client, through `endpoint` if it is given. */
export async function apiOf(name: ClientName, bucket: string, through?: string): Promise<S3Api> {
  const endpoint = through ?? (await s3Server()).endpoint
  return name === 'S3Client'
    ? new SdkApi(await clientOf(name, endpoint), bucket)
    : new FetchApi(await clientOf(name), bucket, `${endpoint}/${bucket}`)
}
