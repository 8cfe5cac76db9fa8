/** `main.mjs WORK FOLDER`: does one of the works, and says `done`. */

import { manage, resume, save, train } from './work.mjs'

const works = { manage, resume, save, train }

async function main() {
  const [work, folder] = process.argv.slice(-2)
  await works[work](folder)
  console.log('done')
}

main().catch((error) => {
  console.error(error)
  process.exitCode = 1
})
