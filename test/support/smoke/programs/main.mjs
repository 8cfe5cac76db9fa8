/** `main.mjs WORK FOLDER`: does one of the works, and says `done`. */

import { manage, resume, save, train } from './work.mjs'

const works = { manage, resume, save, train }

async function main() {
  const [work, folder] = process.argv.slice(-2)
  await works[work](folder)
  console.log('done')
  // An exit of Node 20 hangs for ever if V8 is compiling in the background and waits for a collection.
  await new Promise((resolve) => setTimeout(resolve, 250))
}

main().catch((error) => {
  console.error(error)
  process.exitCode = 1
})
