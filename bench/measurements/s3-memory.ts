/** The highest memory of a save to a bucket, by either client, beyond the process before it. */

import { startBucket } from '../bucket.js'
import { type Bench, Field, OURS } from '../field.js'
import { stateBytes, transformerState, uniformState } from '../state.js'
import { goal, type Row, type Table } from '../table.js'

const MIB = 2 ** 20
const GOAL_MIB = 80
// Long enough for an upload of several parts, whose code is then loaded.
const WARM = uniformState(4, 6 * MIB)

const CLIENTS = [
  ['AwsClient', 'aws4fetch'],
  ['S3Client', 'the AWS SDK'],
] as const

/** MiB of one save in a new process, which has saved a smaller state before. */
async function peakOf(bench: Bench, client: string): Promise<number> {
  await using bucket = await startBucket()
  await using field = await Field.start(bench, ['bucket'], WARM)
  const contender = field.get('bucket')!
  const save = { client, name: 'a.ckpt' }
  await contender.call('connect', bucket.address)
  await contender.call('save', save)
  await contender.call('load', { spec: bench.folder.spec(transformerState(bench.options.size)) })
  await contender.call('collect')
  const { peak } = await contender.callForPeak('save', save)
  return Math.max(0, peak.highest - peak.before) / MIB
}

export async function measureS3Memory(bench: Bench): Promise<Table> {
  const rounds = Math.min(bench.options.rounds, 3)
  const rows: Row[] = []
  for (const [client, label] of CLIENTS) {
    const values: number[] = []
    while (values.length < rounds) values.push(await peakOf(bench, client))
    rows.push({ name: `${OURS}, by ${label}`, values })
  }
  const megabytes = Math.round(stateBytes(transformerState(bench.options.size)) / 1e6)
  return {
    id: 's3-memory',
    title: 'Peak memory of a save to a bucket',
    unit: 'MiB',
    rows,
    goals: rows.map(({ name, values }) =>
      goal(
        name.replace(OURS, 'peak memory of a save to a bucket'),
        values,
        'at most',
        GOAL_MIB,
        'MiB',
      ),
    ),
    notes: [
      `The highest while ${megabytes} MB were saved with 8 parts of 8 MiB at once, less what was there before (VmHWM less ` +
        'VmRSS), in a new process that has saved 100 MB before.',
    ],
    missing: [],
  }
}
