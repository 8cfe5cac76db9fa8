/**
 * Where the commands find files: paths, `https:` addresses, and objects of a bucket, `s3://bucket/key`. The client for
 * buckets is that of the AWS SDK, with its usual environment; this program does not bring it.
 */

import { CheckpointError } from '../errors.js'
import { FolderStore, namesInFolder } from '../io/file/folder-store.js'
import { errorCode } from '../io/file/system-error.js'
import { S3Store } from '../io/s3/s3-store.js'
import type { CheckpointStore, StoredCheckpoint } from '../io/store.js'
import type { Checkpoint } from '../load/checkpoint.js'
import { loadCheckpoint } from '../load/load.js'
import { fileIn, pathOf } from '../path.js'
import { quote } from '../printable.js'

/** A location on the command line in a bucket. */
interface InBucket {
  readonly bucket: string
  /** Empty, or a key without a slash at its end. */
  readonly key: string
}

/**
 * The bucket and the key of `s3://bucket/key`; undefined for another location. Throws a TypeError if it names no bucket.
 */
export function inBucket(location: string): InBucket | undefined {
  const [, bucket, key = ''] = /^s3:\/\/([^/]*)\/*(.*?)\/*$/is.exec(location) ?? []
  if (bucket === '') {
    throw new TypeError(`expected s3://bucket/key, found no bucket in ${quote(location)}`)
  }
  return bucket === undefined ? undefined : { bucket, key }
}

/** The object that `s3://bucket/key` names; undefined for another location. Throws a TypeError if it names none. */
export async function storedAt(location: string): Promise<StoredCheckpoint | undefined> {
  const place = inBucket(location)
  if (place === undefined) return undefined
  const { bucket, key } = place
  if (key === '') throw new TypeError(`expected s3://bucket/key, found no key in s3://${bucket}`)
  const slash = key.lastIndexOf('/')
  const store = await bucketStore(bucket, key.slice(0, Math.max(0, slash)))
  return { store, name: key.slice(slash + 1) }
}

/** The store of a folder, or of a bucket and prefix, `s3://bucket/prefix`. */
export async function storeAt(location: string): Promise<CheckpointStore> {
  const place = inBucket(location)
  return place === undefined ? new FolderStore(location) : bucketStore(place.bucket, place.key)
}

/** A file of a folder or of a bucket. */
export interface LocatedFile {
  /** In the folder, or below the prefix. */
  readonly name: string
  /** A path or an address that `openAt` takes. */
  readonly location: string
}

/**
 * The files of a folder, or of a bucket below a prefix, each with its location, sorted by name. Throws CKPT_READ
 * if the folder cannot be read.
 */
export async function filesIn(folder: string): Promise<LocatedFile[]> {
  const isFolder = inBucket(folder) === undefined
  const names = isFolder
    ? await namesInFolder(pathOf(folder))
    : (await (await storeAt(folder)).list()).map(({ name }) => name)
  const at = (name: string) =>
    isFolder ? fileIn(folder, name) : `${folder.replace(/\/+$/, '')}/${name}`
  return names.sort().map((name) => ({ name, location: at(name) }))
}

/**
 * Opens the checkpoint at a path, an address or in a bucket. A file is not mapped: if a disk has failed, a read is an
 * error that can be reported, while an access to a map would end the process.
 */
export async function openAt(location: string): Promise<Checkpoint> {
  return loadCheckpoint((await storedAt(location)) ?? location, { map: false })
}

const stores = new Map<string, Promise<S3Store>>()

/** One store for each prefix, with one client. */
function bucketStore(bucket: string, prefix: string): Promise<S3Store> {
  const name = `${bucket}/${prefix}`
  const known = stores.get(name) ?? newStore(bucket, prefix)
  stores.set(name, known)
  return known
}

async function newStore(bucket: string, prefix: string): Promise<S3Store> {
  const { S3Client } = await sdk()
  const { AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL, AWS_REGION, AWS_DEFAULT_REGION } = process.env
  const region = AWS_REGION ?? AWS_DEFAULT_REGION
  const isElsewhere = (AWS_ENDPOINT_URL_S3 ?? AWS_ENDPOINT_URL) !== undefined
  const client = new S3Client({
    ...(region === undefined ? {} : { region }),
    // Other services than Amazon's need not have a name for each bucket, and most ignore the region.
    ...(isElsewhere ? { forcePathStyle: true, region: region ?? 'us-east-1' } : {}),
  })
  return new S3Store({ client, bucket, prefix })
}

async function sdk(): Promise<typeof import('@aws-sdk/client-s3')> {
  try {
    return await import('@aws-sdk/client-s3')
  } catch (cause) {
    if (errorCode(cause) !== 'ERR_MODULE_NOT_FOUND') throw cause
    throw new CheckpointError(
      'CKPT_READ',
      's3:// locations need the client of the AWS SDK, which is not installed: npm install @aws-sdk/client-s3',
      { cause },
    )
  }
}
