/** Saves to a bucket, against the plainest multipart upload with as many connections, and against other libraries. */

import { type BenchBucket, startBucket } from '../bucket.js'
import type { Contender } from '../contender.js'
import { type Bench, type ContenderId, Field, OURS } from '../field.js'
import { runRounds, type Turn } from '../rounds.js'
import { stateBytes, transformerState } from '../state.js'
import { ratios } from '../statistics.js'
import { goal, type Table } from '../table.js'
import { need } from './save.js'

// As the library sends: so many parts at once, of so many bytes.
const PARTS = { atOnce: 8, length: 8 * 1024 * 1024 }

const PLAIN = 'plainest multipart upload, unsummed'
const SAVE = `${OURS}, by aws4fetch`

/** Rows by contender, with the call and its arguments. */
const ROWS: readonly (readonly [
  row: string,
  id: ContenderId,
  call: string,
  extra: { readonly name: string; readonly [argument: string]: unknown },
])[] = [
  [PLAIN, 'bucket', 'plainUpload', { name: 'plain', ...PARTS }],
  [SAVE, 'bucket', 'save', { client: 'AwsClient', name: 'a.ckpt' }],
  [`${OURS}, by the AWS SDK`, 'bucket', 'save', { client: 'S3Client', name: 'b.ckpt' }],
  ['@aws-sdk/lib-storage', 'bucket', 'libStorage', { name: 'lib-storage', ...PARTS }],
  ['safetensors and obstore', 'obstore', 'save', { name: 'c.safetensors', ...PARTS }],
]

/** A turn for each row whose contender has started, into a bucket that is empty. */
function turnsOf(bucket: BenchBucket, field: Field): Turn[] {
  return ROWS.flatMap(([row, id, call, extra]): Turn[] => {
    const contender: Contender | undefined = field.get(id)
    if (contender === undefined) return []
    const run = async (): Promise<number> => {
      try {
        return await contender.call<number>(call, extra)
      } finally {
        await bucket.remove(extra.name)
      }
    }
    return [{ row, run }]
  })
}

/** Starts the contenders of buckets, connected to one. */
export async function bucketField(bench: Bench, address: object): Promise<Field> {
  const field = await Field.start(
    bench,
    ['bucket', 'obstore'],
    transformerState(bench.options.size),
  )
  for (const id of ['bucket', 'obstore'] as const) await field.get(id)?.call('connect', address)
  return field
}

export async function measureS3Save(bench: Bench): Promise<Table> {
  const { options } = bench
  await using bucket = await startBucket()
  await using field = await bucketField(bench, bucket.address)
  const { values, failed } = await runRounds(turnsOf(bucket, field), options.rounds)
  field.leaveOutAll(failed)
  const plain = need(values, PLAIN, failed)
  const megabytes = Math.round(stateBytes(transformerState(options.size)) / 1e6)
  return {
    id: 's3-save',
    title: 'Save to a bucket',
    unit: 's',
    reference: PLAIN,
    rows: [...values].map(([name, of]) => ({ name, values: of })),
    goals: [
      goal(
        'speed of a save, to the plainest upload',
        ratios(plain, need(values, SAVE, failed)),
        'at least',
        0.9,
      ),
    ],
    notes: [
      `${megabytes} MB to versitygw on the same machine, which shares the processors and holds objects in memory; ${PARTS.atOnce} parts ` +
        `of ${PARTS.length / 2 ** 20} MiB at once.`,
      'This library and lib-storage send a CRC-32 with each part, which the server verifies. The plainest upload and obstore ' +
        'send none, and sign no body.',
    ],
    missing: field.missing,
  }
}
