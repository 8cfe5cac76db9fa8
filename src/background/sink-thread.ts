/** The thread that writes, as the one that saves knows it. */

import { Thread } from '../io/thread.js'
import type { SinkRequest } from './sink-protocol.js'

export class SinkThread extends Thread<SinkRequest> {
  constructor() {
    super(new URL('./sink-worker.js', import.meta.url), 'the thread that writes')
  }
}
