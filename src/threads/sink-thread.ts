/** The thread that writes, as the one that saves knows it. */

import type { SinkRequest } from './sink-protocol.js'
import { Thread } from './thread.js'

export class SinkThread extends Thread<SinkRequest> {
  constructor() {
    super(new URL('./sink-worker.js', import.meta.url), 'the thread that writes')
  }
}
