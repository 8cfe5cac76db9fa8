/** What the tests of buckets need beside Node. */

import { hasS3Server } from '../../../scripts/s3-server.js'
import type { Need } from '../requires.js'

/** A real S3 server, which is there already or can be built. */
export const S3_SERVER: Need = {
  what: 'Go 1.21 or later, which builds an S3 server',
  here: process.env.S3_TEST_ENDPOINT !== undefined || hasS3Server(),
}
