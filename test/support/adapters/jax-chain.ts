/** Gradient transformations as optax has them: each with a state of its own, and a chain whose state is the list of these. */

import type { Untyped } from './jax-install.js'

export interface Transformation {
  /** Uses up nothing. */
  init(params: Untyped): Untyped
  /** Uses up the updates and the state. */
  update(updates: Untyped, state: Untyped): [updates: Untyped, state: Untyped]
}

/** The three transformations and the chain, over the arrays of this jax-js. */
export function optaxLike({ numpy: np, tree }: Untyped) {
  const zeros = (params: Untyped) => tree.map((p: Untyped) => np.zerosLike(p), tree.ref(params))
  return {
    clipByGlobalNorm: (most: number): Transformation => ({
      init: () => [],
      update(updates, state) {
        const squares = tree
          .leaves(updates)
          .map((leaf: Untyped) => leaf.ref.mul(leaf.ref).sum().item())
        const norm = Math.sqrt(squares.reduce((sum: number, square: number) => sum + square, 0))
        return [tree.map((u: Untyped) => u.mul(Math.min(1, most / norm)), updates), state]
      },
    }),
    scaleByAdam: ({ b1 = 0.9, b2 = 0.999, eps = 1e-8 } = {}): Transformation => ({
      init: (params) => ({ count: 0, mu: zeros(params), nu: zeros(params) }),
      update(updates, { count, mu, nu }) {
        const next = count + 1
        const moment = (decay: number) => (m: Untyped, u: Untyped) =>
          m.mul(decay).add(u.mul(1 - decay))
        const nextMu = tree.map(moment(b1), mu, tree.ref(updates))
        const squares = tree.map((u: Untyped) => u.ref.mul(u), updates)
        const nextNu = tree.map(moment(b2), nu, squares)
        const scaled = tree.map(
          (m: Untyped, n: Untyped) =>
            m.div(1 - b1 ** next).div(np.sqrt(n.div(1 - b2 ** next)).add(eps)),
          tree.ref(nextMu),
          tree.ref(nextNu),
        )
        return [scaled, { count: next, mu: nextMu, nu: nextNu }]
      },
    }),
    scaleBySchedule: (rate: (count: number) => number): Transformation => ({
      init: () => ({ count: 0 }),
      update: (updates, { count }) => [
        tree.map((u: Untyped) => u.mul(rate(count)), updates),
        { count: count + 1 },
      ],
    }),
    chain: (...links: readonly Transformation[]): Transformation => ({
      init: (params) => links.map((link) => link.init(params)),
      update(updates, states) {
        const next: Untyped[] = []
        links.forEach((link, i) => {
          const [changed, state] = link.update(updates, states[i])
          updates = changed
          next.push(state)
        })
        return [updates, next]
      },
    }),
  }
}
