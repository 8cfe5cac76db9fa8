/**
 * Shows the progress of the training: a bar on a terminal, and a line for each epoch. If another program has started
 * this one (`npm start` does, to kill it), that program gets messages as well.
 */

const BAR = 24 // characters

export class Progress {
  #steps
  #watched = process.stdout.isTTY === true

  /** @param {number} steps of the whole run */
  constructor(steps) {
    this.#steps = steps
  }

  step(step, loss) {
    process.send?.({ event: 'step', step, steps: this.#steps })
    if (!this.#watched) return
    const done = Math.floor((step / this.#steps) * BAR)
    const bar = '#'.repeat(done) + '.'.repeat(BAR - done)
    process.stdout.write(`\r[${bar}] step ${step} of ${this.#steps}, loss ${loss.toFixed(4)} `)
  }

  saving(step) {
    process.send?.({ event: 'saving', step })
  }

  saved(step) {
    process.send?.({ event: 'saved', step })
  }

  epoch(epoch, epochs, loss, accuracy, name) {
    // Over the bar, if there is one.
    if (this.#watched) process.stdout.write('\r\x1b[K')
    const count = String(epoch).padStart(String(epochs).length)
    const percent = (100 * accuracy).toFixed(2)
    console.log(
      `epoch ${count} of ${epochs}: loss ${loss.toFixed(4)}, ${percent} % of the test digits, ${name}`,
    )
  }
}
