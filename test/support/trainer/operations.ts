/**
 * The differentiable operations on Variables that a multilayer perceptron is made of. Each one
 * computes its result at once and says how to take the gradient back.
 */

import { Variable } from './variable.js'

/** Matrix product of [n, k] and [k, m]. Each element is accumulated in float64. */
export function matmul(a: Variable, b: Variable): Variable {
  const [n, k] = matrixShape(a, 'matmul')
  const [rows, m] = matrixShape(b, 'matmul')
  if (k !== rows) throw new RangeError(`matmul: [${a.shape}] and [${b.shape}] do not fit`)
  return Variable.of([n, m], product(a.data, b.data, n, k, m), [a, b], (gradient) => [
    a.requiresGrad ? product(gradient, transposed(b.data, k, m), n, m, k) : null,
    b.requiresGrad ? product(transposed(a.data, n, k), gradient, k, n, m) : null,
  ])
}

/** [m, n] of [n, m], as a copy. */
export function transpose(a: Variable): Variable {
  const [n, m] = matrixShape(a, 'transpose')
  return Variable.of([m, n], transposed(a.data, n, m), [a], (gradient) => [
    transposed(gradient, m, n),
  ])
}

/** Sum of two tensors, where `b` may lack leading dimensions (a bias) and is then repeated. */
export function add(a: Variable, b: Variable): Variable {
  const suffix = a.shape.slice(a.shape.length - b.shape.length)
  if (b.shape.length > a.shape.length || suffix.some((length, i) => length !== b.shape[i])) {
    throw new RangeError(`add: [${b.shape}] cannot be broadcast to [${a.shape}]`)
  }
  const period = b.data.length
  const data = a.data.map((value, i) => value + b.data[i % period]!)
  return Variable.of(a.shape, data, [a, b], (gradient) => [gradient, folded(gradient, period)])
}

/** max(a, 0), with a gradient of 0 at 0. */
export function relu(a: Variable): Variable {
  const data = a.data.map((value) => Math.max(value, 0))
  return Variable.of(a.shape, data, [a], (gradient) => [
    gradient.map((value, i) => (data[i]! > 0 ? value : 0)),
  ])
}

export function tanh(a: Variable): Variable {
  const data = a.data.map(Math.tanh)
  return Variable.of(a.shape, data, [a], (gradient) => [
    gradient.map((value, i) => value * (1 - data[i]! * data[i]!)),
  ])
}

/** Sum of all elements, a scalar. */
export function sum(a: Variable): Variable {
  return scaledSum(a, 1)
}

/** Mean of all elements, a scalar. */
export function mean(a: Variable): Variable {
  return scaledSum(a, 1 / a.data.length)
}

function scaledSum(a: Variable, scale: number): Variable {
  let total = 0
  for (const value of a.data) total += value
  return Variable.of([], Float32Array.of(total * scale), [a], (gradient) => [
    new Float32Array(a.data.length).fill(gradient[0]! * scale),
  ])
}

function matrixShape(a: Variable, operation: string): [rows: number, columns: number] {
  const [rows, columns] = a.shape
  if (a.shape.length !== 2 || rows === undefined || columns === undefined) {
    throw new RangeError(`${operation} wants a matrix, but the shape is [${a.shape}]`)
  }
  return [rows, columns]
}

function product(a: Float32Array, b: Float32Array, n: number, k: number, m: number): Float32Array {
  const out = new Float32Array(n * m)
  const row = new Float64Array(m)
  for (let i = 0; i < n; i++) {
    row.fill(0)
    for (let p = 0; p < k; p++) {
      const factor = a[i * k + p]!
      for (let j = 0; j < m; j++) row[j]! += factor * b[p * m + j]!
    }
    out.set(row, i * m)
  }
  return out
}

function transposed(a: Float32Array, n: number, m: number): Float32Array {
  const out = new Float32Array(a.length)
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < m; j++) out[j * n + i] = a[i * m + j]!
  }
  return out
}

/** The sum of all blocks of `period` elements: the gradient of a repeated tensor. */
function folded(gradient: Float32Array, period: number): Float32Array {
  const out = new Float64Array(period)
  for (const [i, value] of gradient.entries()) out[i % period]! += value
  return Float32Array.from(out)
}
