/** A process of the resume check: takes the part that it is told to, and reports. */

import { type Message, perform, type Task } from './run.js'

const report = (message: Message) => process.send?.(message)

process.once('message', (task: Task) => {
  perform(task, (step) => report({ event: 'step', step })).then(
    () => report({ event: 'done' }),
    (error: unknown) => {
      const reason = error instanceof Error ? (error.stack ?? error.message) : String(error)
      report({ event: 'failed', reason })
    },
  )
})
