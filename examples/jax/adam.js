/**
 * Adam, as a pure function over trees of jax-js arrays. Its state is a tree as well: a count in plain JavaScript, the
 * two moments of every parameter, and an empty link of a chain, as in the states of optax.
 */

import { numpy as np, tree } from '@jax-js/jax'

const BETA1 = 0.9
const BETA2 = 0.999
const EPSILON = 1e-8

/** @param params which are not used up */
export function initAdam(params) {
  const zeros = () => tree.map((p) => np.zerosLike(p), tree.ref(params))
  return [{ count: 0, mu: zeros(), nu: zeros() }, []]
}

/** One step. Uses up all its arguments, and returns the next parameters and state. */
export function adam(learningRate, params, gradients, [{ count, mu, nu }, rest]) {
  const next = count + 1
  const nextMu = tree.map((m, g) => m.mul(BETA1).add(g.mul(1 - BETA1)), mu, tree.ref(gradients))
  const nextNu = tree.map((v, g) => v.mul(BETA2).add(g.ref.mul(g).mul(1 - BETA2)), nu, gradients)
  const rate = learningRate / (1 - BETA1 ** next)
  const correction = 1 / (1 - BETA2 ** next)
  const nextParams = tree.map(
    (p, m, v) => p.sub(m.mul(rate).div(np.sqrt(v.mul(correction)).add(EPSILON))),
    params,
    tree.ref(nextMu),
    tree.ref(nextNu),
  )
  return [nextParams, [{ count: next, mu: nextMu, nu: nextNu }, rest]]
}
