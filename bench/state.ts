/**
 * The state that every contender saves: names, shapes, and contents that follow from them. So each process makes the
 * same bytes for itself. peers/state.py does the same in Python.
 */

/** A tensor of float32. */
export interface TensorSpec {
  /** The state that it belongs to. */
  readonly state: 'model' | 'optimizer'
  readonly name: string
  readonly shape: readonly number[]
}

export type StateSpec = readonly TensorSpec[]

/** The sizes of a transformer like GPT-2. */
interface TransformerSize {
  readonly layers: number
  readonly width: number
  readonly vocabulary: number
  readonly context: number
}

const GPT2: TransformerSize = { layers: 12, width: 768, vocabulary: 50_257, context: 1024 }
// The same kinds of tensors and nearly as many, in about 20 MB: to try the benchmark out.
const SMALL: TransformerSize = { layers: 12, width: 96, vocabulary: 4096, context: 256 }

export type StateSize = 'small' | 'gpt2'

/**
 * GPT-2 with AdamW: each parameter, and for each of them its two moments and its step count. At size
 * `gpt2` 592 tensors and 1.49 GB.
 */
export function transformerState(size: StateSize): StateSpec {
  const parameters = transformerParameters(size === 'gpt2' ? GPT2 : SMALL)
  return [
    ...parameters.map(([name, shape]) => ({ state: 'model' as const, name, shape })),
    ...parameters.flatMap(([name, shape]) => [
      { state: 'optimizer' as const, name: `exp_avg/${name}`, shape },
      { state: 'optimizer' as const, name: `exp_avg_sq/${name}`, shape },
      { state: 'optimizer' as const, name: `step/${name}`, shape: [] },
    ]),
  ]
}

function transformerParameters({ layers, width, vocabulary, context }: TransformerSize) {
  const parameters: (readonly [name: string, shape: readonly number[]])[] = [
    ['wte.weight', [vocabulary, width]],
    ['wpe.weight', [context, width]],
  ]
  for (let i = 0; i < layers; i++) {
    parameters.push(
      [`h.${i}.ln_1.weight`, [width]],
      [`h.${i}.ln_1.bias`, [width]],
      [`h.${i}.attn.c_attn.weight`, [width, 3 * width]],
      [`h.${i}.attn.c_attn.bias`, [3 * width]],
      [`h.${i}.attn.c_proj.weight`, [width, width]],
      [`h.${i}.attn.c_proj.bias`, [width]],
      [`h.${i}.ln_2.weight`, [width]],
      [`h.${i}.ln_2.bias`, [width]],
      [`h.${i}.mlp.c_fc.weight`, [width, 4 * width]],
      [`h.${i}.mlp.c_fc.bias`, [4 * width]],
      [`h.${i}.mlp.c_proj.weight`, [4 * width, width]],
      [`h.${i}.mlp.c_proj.bias`, [width]],
    )
  }
  parameters.push(['ln_f.weight', [width]], ['ln_f.bias', [width]])
  return parameters
}

/** `count` tensors of one length, in elements, in the model alone. */
export function uniformState(count: number, length: number): StateSpec {
  const digits = String(count - 1).length
  return Array.from({ length: count }, (_, i) => ({
    state: 'model',
    name: `layers.${String(i).padStart(digits, '0')}.weight`,
    shape: [length],
  }))
}

/** Number of elements of a shape. */
export function elements(shape: readonly number[]): number {
  return shape.reduce((product, length) => product * length, 1)
}

/** Length of all tensors in bytes. */
export function stateBytes(spec: StateSpec): number {
  return spec.reduce((sum, { shape }) => sum + 4 * elements(shape), 0)
}

/** Element `k` of tensor number `index`, as the bits of a float32 in [1, 2). */
function bitsOf(index: number, k: number): number {
  return ((Math.imul(k, 2654435761) + Math.imul(index, 40503)) >>> 9) | 0x3f800000
}

/** Fills tensor number `index` of a state. */
export function fillTensor(data: Float32Array, index: number): void {
  const bits = new Uint32Array(data.buffer, data.byteOffset, data.length)
  for (let k = 0; k < bits.length; k++) bits[k] = bitsOf(index, k)
}

/** Whether the last element of tensor number `index` is what `fillTensor` made. */
export function isFilled(data: Float32Array, index: number): boolean {
  if (data.length === 0) return true
  const bits = new Uint32Array(data.buffer, data.byteOffset, data.length)
  return bits[bits.length - 1] === bitsOf(index, bits.length - 1)
}
