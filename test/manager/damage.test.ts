import { runInNewContext } from 'node:vm'
import test from 'ava'
import { CheckpointError, type CheckpointErrorCode } from '../../src/errors.js'
import { isDamage, isGone } from '../../src/manager/damage.js'

const error = (code: CheckpointErrorCode, cause?: unknown) =>
  new CheckpointError(code, 'it failed', { cause })

test('damage is what an older checkpoint is free of', (t) => {
  t.true(isDamage(error('CKPT_TENSOR_CHECKSUM')))
  t.true(isDamage(error('CKPT_FILE_LENGTH')))
  t.false(isDamage(error('CKPT_VERSION')))
  t.false(isDamage(error('CKPT_READ')))
  t.false(isDamage(error('CKPT_STATE_MISMATCH')))
  t.false(isDamage(new Error('CKPT_TENSOR_CHECKSUM')))
})

test('a file is gone where it could not be opened, and not where a model misses one of its own', (t) => {
  const none = Object.assign(new Error('ENOENT'), { code: 'ENOENT' })
  t.true(isGone(error('CKPT_READ', none)))
  // What Node throws is of another realm than a test runner's files.
  t.true(
    isGone(error('CKPT_READ', runInNewContext('Object.assign(new Error(), { code: "ENOENT" })'))),
  )
  t.false(isGone(error('CKPT_RESTORE_INCOMPLETE', none)))
  t.false(isGone(error('CKPT_READ', Object.assign(new Error('EACCES'), { code: 'EACCES' }))))
  t.false(isGone(none))
})
