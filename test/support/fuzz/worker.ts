/** A process that fuzzes: is sent stretches of inputs, and answers each with what became of them. */

import { constants, setPriority } from 'node:os'
import { Campaign, type Stretch } from './campaign.js'

// Whoever works on this machine comes first.
setPriority(constants.priority.PRIORITY_BELOW_NORMAL)

const [oracle] = process.argv.slice(2)
const campaign = new Campaign(oracle)

process.on('message', async (stretch: Stretch) => {
  const result = await campaign.run(stretch)
  process.send!(result)
})

process.on('disconnect', () => {
  campaign.close()
  process.exit()
})
