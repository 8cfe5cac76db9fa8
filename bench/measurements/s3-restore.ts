/** Restores from a bucket, against the plainest download and the restore of what it has written, and another library. */

import { startBucket } from '../bucket.js'
import { type Bench, OURS } from '../field.js'
import { runRounds, type Turn } from '../rounds.js'
import { stateBytes, transformerState } from '../state.js'
import { ratios } from '../statistics.js'
import { goal, type Table } from '../table.js'
import { bucketField } from './s3-save.js'
import { need } from './save.js'

// As the library asks: so many ranges at once, of so many bytes.
const RANGES = { atOnce: 4, length: 16 * 1024 * 1024 }

const PLAIN = 'plainest download to a file, and restore'
const CACHED = `${OURS}, through the cache folder`
const TWICE = `${OURS}, read twice`
const OBSTORE = 'safetensors and obstore'

const NAME = 'a.ckpt'

/** Restores a checkpoint of a bucket in every way. */
export async function measureS3Restore(bench: Bench): Promise<Table> {
  const { folder, options } = bench
  await using bucket = await startBucket()
  await using field = await bucketField(bench, bucket.address)
  const ours = field.get('bucket')!
  await ours.call('save', { client: 'AwsClient', name: NAME })
  const peer = field.get('obstore')
  await peer?.call('save', { name: 'c.safetensors', atOnce: 8, length: 8 * 1024 * 1024 })
  const turn = (row: string, run: (path: string) => Promise<number>): Turn => ({
    row,
    run: async () => {
      const path = folder.file('')
      folder.settle()
      try {
        return await run(path)
      } finally {
        folder.remove(path)
      }
    },
  })
  const turns = [
    turn(PLAIN, (path) => ours.call('plainRestore', { name: NAME, path, ...RANGES })),
    turn(CACHED, (path) => ours.call('restore', { name: NAME, cache: path })),
    turn(TWICE, () => ours.call('restore', { name: NAME })),
  ]
  if (peer !== undefined) {
    turns.push(turn(OBSTORE, () => peer.call('restore', { name: 'c.safetensors' })))
  }
  const { values, failed } = await runRounds(turns, options.rounds)
  field.leaveOutAll(failed)
  const plain = need(values, PLAIN, failed)
  const speed = (row: string) => ratios(plain, need(values, row, failed))
  const megabytes = Math.round(stateBytes(transformerState(options.size)) / 1e6)
  return {
    id: 's3-restore',
    title: 'Restore from a bucket',
    unit: 's',
    reference: PLAIN,
    rows: [...values].map(([name, of]) => ({ name, values: of })),
    goals: [
      goal('speed through the cache, to the plain way', speed(CACHED), 'at least', 0.9),
      goal('speed of reading twice, to the plain way', speed(TWICE), 'at least', 0.45),
    ],
    notes: [
      `${megabytes} MB by aws4fetch from versitygw on the same machine, which holds objects in memory; each with ` +
        `${RANGES.atOnce} requests at once, and all checksums verified.`,
      'obstore gets the object whole, into memory, by one request. safetensors has no checksums.',
    ],
    missing: field.missing,
  }
}
