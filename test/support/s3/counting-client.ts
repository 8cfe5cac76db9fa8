/** A client that keeps what it asks for. */

import { AwsClient } from 'aws4fetch'
import { s3Server } from './bucket.js'

/** An AwsClient of the server of this test file, with the requests so far: `PUT`, `POST`, `GET`, `HEAD`, `DELETE`, `LIST`. */
export interface CountingClient extends AwsClient {
  readonly requests: string[]
}

/** Makes a client that counts. */
export async function countingClient(): Promise<CountingClient> {
  const { region, accessKeyId, secretAccessKey } = await s3Server()
  class Counting extends AwsClient implements CountingClient {
    readonly requests: string[] = []

    override sign(...input: Parameters<AwsClient['sign']>) {
      const [url, init] = input
      const isList = /[?&](list-type|uploads=&encoding)/.test(String(url))
      this.requests.push(isList ? 'LIST' : (init?.method ?? 'GET'))
      return super.sign(...input)
    }
  }
  return new Counting({ region, accessKeyId, secretAccessKey })
}
