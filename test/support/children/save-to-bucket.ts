/** Saves generation 2 to a bucket, by either client; killed by the test meanwhile. Prints `saved` at its end. */

import { S3Client } from '@aws-sdk/client-s3'
import { AwsClient } from 'aws4fetch'
import { S3Store } from '../../../src/io/s3/s3-store.js'
import type { Condition } from '../../../src/io/store.js'
import type { FileName } from '../s3/generations.js'
import { NAME, PART, saveGeneration } from '../s3/generations.js'

const { client, endpoint, bucket, region, accessKeyId, secretAccessKey, file, condition } =
  JSON.parse(process.argv[2]!) as {
    readonly [name: string]: string
  } & { readonly file: FileName; readonly condition?: Condition }

const credentials = { accessKeyId: accessKeyId!, secretAccessKey: secretAccessKey! }
const common = { bucket: bucket!, partLength: PART, partsAtOnce: 2 }
const store =
  client === 'AwsClient'
    ? new S3Store({
        ...common,
        client: new AwsClient({ ...credentials, region: region! }),
        endpoint: endpoint!,
      })
    : new S3Store({
        ...common,
        client: new S3Client({
          endpoint: endpoint!,
          region: region!,
          credentials,
          forcePathStyle: true,
        }),
      })
await saveGeneration({ store, name: NAME, condition }, file, 2)
console.log('saved')
