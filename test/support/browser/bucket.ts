/** What a page that saves to a bucket knows, and what it saves. */

/** A bucket of another origin. */
export interface BrowserBucket {
  readonly endpoint: string
  readonly bucket: string
  readonly prefix: string
  readonly region: string
  readonly accessKeyId: string
  readonly secretAccessKey: string
}

/** More than one part of an upload. */
export const bucketWeight = (): Float32Array =>
  new Float32Array(2 * 2 ** 20).map((_, i) => Math.fround(i * 0.1))
