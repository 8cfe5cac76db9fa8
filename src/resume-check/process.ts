/** A process of the resume check: performs the part that it is sent, and reports. */

import { messageOf } from '../errors.js'
import { type Message, perform, type Task } from './run.js'

const report = (message: Message) => process.send?.(message)

process.once('message', (task: Task) => {
  perform(task, (step) => report({ event: 'step', step })).then(
    () => report({ event: 'done' }),
    (error: unknown) => {
      const { stack } = (error ?? {}) as { readonly stack?: string }
      const reason = stack ?? messageOf(error)
      report({ event: 'failed', reason })
    },
  )
})
