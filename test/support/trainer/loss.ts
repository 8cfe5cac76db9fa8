/** Loss functions: scalars to be minimised, averaged as PyTorch's `reduction='mean'` does. */

import { Variable } from './variable.js'

/** Mean over all elements of (prediction - target)². */
export function meanSquaredError(prediction: Variable, target: Variable): Variable {
  if (String(prediction.shape) !== String(target.shape)) {
    throw new RangeError(
      `meanSquaredError: the prediction is [${prediction.shape}], the target [${target.shape}]`,
    )
  }
  const count = prediction.data.length
  let total = 0
  for (let i = 0; i < count; i++) total += (prediction.data[i]! - target.data[i]!) ** 2
  return Variable.of([], Float32Array.of(total / count), [prediction, target], (gradient) => {
    const scale = (2 * gradient[0]!) / count
    const slope = prediction.data.map((value, i) => scale * (value - target.data[i]!))
    return [slope, slope.map((value) => -value)]
  })
}

/**
 * Mean over the rows of -log softmax(logits)[label]. `logits` is [n, classes], and `labels` holds n
 * numbers of classes. The largest logit is subtracted first, so that no exponential overflows.
 */
export function softmaxCrossEntropy(logits: Variable, labels: ArrayLike<number>): Variable {
  const [n, classes] = logits.shape
  if (logits.shape.length !== 2 || n === undefined || classes === undefined) {
    throw new RangeError(`softmaxCrossEntropy wants [n, classes], not [${logits.shape}]`)
  }
  if (labels.length !== n) {
    throw new RangeError(`softmaxCrossEntropy: ${n} rows, but ${labels.length} labels`)
  }
  const probabilities = new Float64Array(n * classes)
  let total = 0
  for (let i = 0; i < n; i++) {
    const label = labels[i]!
    if (!Number.isInteger(label) || label < 0 || label >= classes) {
      throw new RangeError(`softmaxCrossEntropy: label ${label} is none of ${classes} classes`)
    }
    const row = logits.data.subarray(i * classes, (i + 1) * classes)
    const largest = Math.max(...row)
    let normalizer = 0
    for (const logit of row) normalizer += Math.exp(logit - largest)
    for (const [j, logit] of row.entries()) {
      probabilities[i * classes + j] = Math.exp(logit - largest) / normalizer
    }
    total += Math.log(normalizer) - (row[label]! - largest)
  }
  return Variable.of([], Float32Array.of(total / n), [logits], (gradient) => {
    const scale = gradient[0]! / n
    return [
      Float32Array.from(probabilities, (probability, i) => {
        const isLabel = i % classes === labels[Math.floor(i / classes)]
        return scale * (isLabel ? probability - 1 : probability)
      }),
    ]
  })
}
