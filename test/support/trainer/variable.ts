/**
 * Variable: a dense, row-major float32 tensor that remembers how it was computed, so that gradients
 * can be propagated back through it (reverse-mode automatic differentiation). The operations are in
 * operations.ts and loss.ts.
 *
 * Deterministic: the same inputs give the same bits, because sums are always taken in index order.
 */

/** Gradients of a node's inputs, given the node's own. Null for an input that wants none. */
export type Backward = (gradient: Float32Array) => readonly (Float32Array | null)[]

interface Origin {
  readonly inputs: readonly Variable[]
  readonly backward: Backward
}

export class Variable {
  /** The elements themselves: an optimizer writes here, and a checkpoint reads and writes here. */
  readonly data: Float32Array
  /** Length of each dimension; `[]` for a scalar. */
  readonly shape: readonly number[]
  readonly requiresGrad: boolean
  /** Of a leaf: the sum of the gradients of every `backward()` since `zeroGrad()`; null before the first. */
  grad: Float32Array | null = null
  readonly #origin: Origin | null

  /** Takes `data` over without a copy. Throws a RangeError where its length is not the shape's. */
  constructor(
    shape: readonly number[],
    data: Float32Array,
    requiresGrad = false,
    origin: Origin | null = null,
  ) {
    if (data.length !== sizeOf(shape)) {
      throw new RangeError(
        `a Variable of shape [${shape}] has ${sizeOf(shape)} elements, but ${data.length} were given`,
      )
    }
    this.shape = shape
    this.data = data
    this.requiresGrad = requiresGrad
    this.#origin = origin
  }

  /** The result of an operation. It is remembered only if one of the inputs wants a gradient. */
  static of(
    shape: readonly number[],
    data: Float32Array,
    inputs: readonly Variable[],
    backward: Backward,
  ): Variable {
    const requiresGrad = inputs.some((input) => input.requiresGrad)
    return new Variable(shape, data, requiresGrad, requiresGrad ? { inputs, backward } : null)
  }

  /** The only element. Throws a RangeError where there are more or none. */
  item(): number {
    const value = this.data[0]
    if (value === undefined || this.data.length !== 1) {
      throw new RangeError(`item() wants one element, but the shape is [${this.shape}]`)
    }
    return value
  }

  zeroGrad(): void {
    this.grad = null
  }

  /** Adds the gradient of this scalar to `grad` of every leaf that it was computed from. */
  backward(): void {
    if (this.data.length !== 1) {
      throw new RangeError(`backward() starts at a scalar, but the shape is [${this.shape}]`)
    }
    const gradients = new Map<Variable, Float32Array>([[this, Float32Array.of(1)]])
    for (const variable of this.#topologicalOrder().reverse()) {
      const gradient = gradients.get(variable)
      if (gradient === undefined) continue
      // The gradient of an inner node is not needed any more.
      gradients.delete(variable)
      if (variable.#origin === null) {
        variable.grad = accumulated(variable.grad, gradient)
        continue
      }
      const { inputs, backward } = variable.#origin
      for (const [i, inputGradient] of backward(gradient).entries()) {
        const input = inputs[i]!
        if (inputGradient === null || !input.requiresGrad) continue
        gradients.set(input, accumulated(gradients.get(input) ?? null, inputGradient))
      }
    }
  }

  /** Everything that wants a gradient, inputs before what is computed from them. */
  #topologicalOrder(): Variable[] {
    const order: Variable[] = []
    const seen = new Set<Variable>()
    // With a stack of its own: a deep graph must not overflow the engine's.
    const stack: { variable: Variable; next: number }[] = []
    const visit = (variable: Variable) => {
      if (!variable.requiresGrad || seen.has(variable)) return
      seen.add(variable)
      stack.push({ variable, next: 0 })
    }
    visit(this)
    for (let top = stack.at(-1); top !== undefined; top = stack.at(-1)) {
      const input = top.variable.#origin?.inputs[top.next++]
      if (input !== undefined) visit(input)
      else order.push(stack.pop()!.variable)
    }
    return order
  }
}

/** Number of elements of a shape. */
export function sizeOf(shape: readonly number[]): number {
  return shape.reduce((size, length) => size * length, 1)
}

// Always a new array: an operation may return the gradient that it was given.
function accumulated(sum: Float32Array | null, gradient: Float32Array): Float32Array {
  return sum === null ? gradient.slice() : sum.map((value, i) => value + gradient[i]!)
}
