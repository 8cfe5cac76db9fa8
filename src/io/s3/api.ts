/**
 * The requests to a bucket that this library sends, by the names and the fields of S3's own interface. Two clients
 * carry them out: `S3Client` of @aws-sdk/client-s3 (sdk-api.ts), and `AwsClient` of aws4fetch (fetch-api.ts).
 */

import type { Arriving } from '../attempts.js'

/** An object, as a listing describes it. */
export interface ListedObject {
  readonly Key: string
  readonly ETag: string
  /** In bytes. */
  readonly Size: number
  readonly LastModified: Date
}

/** A multipart upload that was neither completed nor aborted. */
export interface ListedUpload {
  readonly Key: string
  readonly UploadId: string
  readonly Initiated: Date
}

/** A part of an upload, as CompleteMultipartUpload wants it. */
export interface CompletedPart {
  readonly PartNumber: number
  readonly ETag: string
  readonly ChecksumCRC32?: string | undefined
}

interface Upload {
  readonly Key: string
  readonly UploadId: string
}

/** Text of the caller's own next to an object, by lower-case names. */
export type ObjectMetadata = { readonly [name: string]: string }

interface Written {
  readonly ETag?: string | undefined
  readonly ChecksumCRC32?: string | undefined
  readonly ChecksumType?: string | undefined
}

/** Each request with the fields of its input and of its output. ETags have their quotes. */
export interface S3Requests {
  GetObject: {
    in: { readonly Key: string; readonly Range: string; readonly IfMatch?: string | undefined }
    out: {
      readonly Body: Arriving
      readonly ETag?: string | undefined
      /** `bytes 0-9/100`; absent if the server does not know ranges. */
      readonly ContentRange?: string | undefined
    }
  }
  HeadObject: {
    in: { readonly Key: string; readonly ChecksumMode?: 'ENABLED' }
    out: Written & {
      readonly ContentLength?: number | undefined
      readonly LastModified?: Date | undefined
      /** Empty if a browser may not see it. */
      readonly Metadata?: ObjectMetadata | undefined
    }
  }
  PutObject: {
    in: {
      readonly Key: string
      readonly Body: Uint8Array
      readonly IfMatch?: string | undefined
      readonly IfNoneMatch?: '*' | undefined
      readonly ChecksumCRC32?: string | undefined
      readonly Metadata?: ObjectMetadata | undefined
    }
    out: Written
  }
  DeleteObject: { in: { readonly Key: string; readonly IfMatch?: string | undefined }; out: object }
  ListObjectsV2: {
    in: {
      readonly Prefix: string
      readonly Delimiter: '/'
      readonly ContinuationToken?: string | undefined
      readonly MaxKeys?: number | undefined
    }
    out: {
      readonly Contents: readonly ListedObject[]
      readonly NextContinuationToken?: string | undefined
    }
  }
  CreateMultipartUpload: {
    in: {
      readonly Key: string
      readonly ChecksumAlgorithm?: 'CRC32' | undefined
      readonly ChecksumType?: 'FULL_OBJECT' | undefined
      readonly Metadata?: ObjectMetadata | undefined
    }
    out: { readonly UploadId?: string | undefined }
  }
  UploadPart: {
    in: Upload & {
      readonly PartNumber: number
      readonly Body: Uint8Array
      readonly ChecksumCRC32?: string | undefined
    }
    out: Written
  }
  UploadPartCopy: {
    in: Upload & {
      readonly PartNumber: number
      /** `bucket/key`, percent-encoded. */
      readonly CopySource: string
      readonly CopySourceIfMatch: string
      readonly CopySourceRange: string
    }
    out: { readonly CopyPartResult?: { readonly ETag?: string | undefined } | undefined }
  }
  CompleteMultipartUpload: {
    in: Upload & {
      readonly MultipartUpload: { readonly Parts: readonly CompletedPart[] }
      readonly IfMatch?: string | undefined
      readonly IfNoneMatch?: '*' | undefined
      readonly ChecksumCRC32?: string | undefined
      readonly ChecksumType?: 'FULL_OBJECT' | undefined
      readonly MpuObjectSize?: number | undefined
    }
    out: Written
  }
  AbortMultipartUpload: { in: Upload; out: object }
  ListMultipartUploads: {
    in: {
      readonly Prefix: string
      readonly KeyMarker?: string | undefined
      readonly UploadIdMarker?: string | undefined
    }
    out: {
      readonly Uploads: readonly ListedUpload[]
      readonly NextKeyMarker?: string | undefined
      readonly NextUploadIdMarker?: string | undefined
    }
  }
}

/** The name of a request. */
export type S3RequestName = keyof S3Requests

/** One bucket, by one client. */
export interface S3Api {
  readonly bucket: string
  /**
   * A request that is not answered for so long is cut off and sent again, in milliseconds. One with a body has as long
   * again for each 2 MiB.
   */
  readonly stalledAfter: number
  /**
   * Sends one request, once. Rejects with an S3Failure if the server refuses it, and with the client's error if there is
   * no answer.
   */
  send<Name extends S3RequestName>(
    name: Name,
    input: S3Requests[Name]['in'],
    signal?: AbortSignal,
  ): Promise<S3Requests[Name]['out']>
}
