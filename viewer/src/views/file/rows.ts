/**
 * The tensors of a file as the rows of a tree by name. A parameter has what the optimizer, and other states, keep for it
 * next to it.
 */

import type { FileFacts, TensorFacts } from '../../compute/facts.js'

/** A tensor in the tree. */
export interface Leaf {
  readonly kind: 'tensor'
  readonly key: string
  /** The last parts of the name; for a buffer, what it is of the parameter. */
  readonly label: string
  readonly tensor: TensorFacts
  /** Buffers of the parameter. */
  readonly buffers: readonly Leaf[]
  readonly isBuffer: boolean
}

/** Tensors whose names begin alike, or those of a state. */
export interface Group {
  readonly kind: 'group'
  readonly key: string
  readonly label: string
  readonly children: readonly Node[]
  /** Of all tensors below, buffers included. */
  readonly count: number
  readonly byteLength: number
}

export type Node = Leaf | Group

/** A row of the table: a node at its depth. */
export interface Row {
  readonly node: Node
  readonly depth: number
  readonly isOpen: boolean
}

// Deepest group. A hostile name may have thousands of parts.
const DEEPEST = 24

interface Branch {
  readonly branches: Map<string, Branch>
  readonly leaves: Leaf[]
}

/** The groups of a file, one for each state, but for tensors that are with their parameter. */
export function treeOf({ states }: Pick<FileFacts, 'states'>): readonly Group[] {
  const [model, ...others] = states
  if (model === undefined) return []
  const buffers = new Map<string, Leaf[]>()
  const parameters = new Set(others.length === 0 ? [] : model.tensors.map(({ name }) => name))
  const left = others.map((state) => ({
    ...state,
    tensors: state.tensors.filter((tensor) => {
      const found = parameterOf(tensor, parameters)
      if (found === undefined) return true
      const of = buffers.get(found.parameter) ?? []
      of.push(leafOf(tensor, found.label, [], true))
      buffers.set(found.parameter, of)
      return false
    }),
  }))
  return [model, ...left]
    .filter(({ tensors }, i) => i === 0 || tensors.length > 0)
    .map((state, i) => {
      const root: Branch = { branches: new Map(), leaves: [] }
      for (const tensor of state.tensors) {
        const own = i === 0 ? (buffers.get(tensor.name) ?? []) : []
        place(root, tensor, own)
      }
      return groupOf(`${state.name}`, state.name, root)
    })
}

/** The parameter that a buffer is of, by its name: `exp_avg/h.0.weight`, `h.0.weight/m`; or a copy under its own name. */
function parameterOf(
  { state, name }: TensorFacts,
  parameters: ReadonlySet<string>,
): { readonly parameter: string; readonly label: string } | undefined {
  if (parameters.has(name)) return { parameter: name, label: state }
  for (let i = 1; i < name.length - 1; i++) {
    if (!SEPARATORS.includes(name[i]!)) continue
    const [before, after] = [name.slice(0, i), name.slice(i + 1)]
    if (parameters.has(after)) return { parameter: after, label: before }
    if (parameters.has(before)) return { parameter: before, label: after }
  }
  return undefined
}

const SEPARATORS = './:'

function leafOf(
  tensor: TensorFacts,
  label: string,
  buffers: readonly Leaf[],
  isBuffer = false,
): Leaf {
  return { kind: 'tensor', key: keyOf(tensor), label, tensor, buffers, isBuffer }
}

/** What distinguishes a tensor of a file. */
export function keyOf({ state, name }: Pick<TensorFacts, 'state' | 'name'>): string {
  return `${state}\0${name}`
}

function place(root: Branch, tensor: TensorFacts, buffers: readonly Leaf[]): void {
  const parts = partsOf(tensor.name)
  let branch = root
  for (const part of parts.slice(0, -1)) {
    let next = branch.branches.get(part)
    if (next === undefined) {
      next = { branches: new Map(), leaves: [] }
      branch.branches.set(part, next)
    }
    branch = next
  }
  branch.leaves.push(leafOf(tensor, parts.at(-1)!, buffers))
}

/** A name in parts, each with the point or slash that ends it. Several of them in a row end none. */
function partsOf(name: string): string[] {
  const parts: string[] = []
  let start = 0
  for (let i = 1; i < name.length - 1 && parts.length < DEEPEST; i++) {
    if (!ends(name, i) || ends(name, i - 1) || ends(name, i + 1)) continue
    parts.push(name.slice(start, i + 1))
    start = i + 1
  }
  parts.push(name.slice(start))
  return parts
}

function ends(name: string, i: number): boolean {
  const char = name.charCodeAt(i)
  return char === POINT || char === SLASH
}

const [POINT, SLASH] = [0x2e, 0x2f]

function groupOf(key: string, label: string, { branches, leaves }: Branch): Group {
  const children: Node[] = [...leaves]
  for (const [part, branch] of branches) {
    // A chain of single parts is one row.
    let [name, last] = [part, branch]
    while (last.leaves.length === 0 && last.branches.size === 1) {
      const [[more, next]] = last.branches as unknown as [[string, Branch]]
      name += more
      last = next
    }
    const [only] = last.leaves
    if (last.branches.size === 0 && last.leaves.length === 1) {
      children.push({ ...only!, label: name + only!.label })
    } else {
      children.push(groupOf(`${key}\0\0${name}`, name.replace(/[./]$/, ''), last))
    }
  }
  let [count, byteLength] = [0, 0]
  for (const child of children) {
    if (child.kind === 'group') {
      count += child.count
      byteLength += child.byteLength
    } else {
      count += 1 + child.buffers.length
      byteLength += child.tensor.byteLength
      for (const { tensor } of child.buffers) byteLength += tensor.byteLength
    }
  }
  return { kind: 'group', key, label, children, count, byteLength }
}

/** How the rows are chosen. */
export interface RowOptions {
  /** Keys of groups and parameters that are folded. */
  readonly folded: ReadonlySet<string>
  /** Which tensors are shown; all if undefined. */
  readonly isShown: ((tensor: TensorFacts) => boolean) | undefined
  /** Compares tensors, in a flat list; undefined for the tree. */
  readonly compare: ((a: TensorFacts, b: TensorFacts) => number) | undefined
}

/** The rows of the table, from top to bottom. */
export function rowsOf(groups: readonly Group[], options: RowOptions): Row[] {
  const { folded, isShown, compare } = options
  const rows: Row[] = []
  const addLeaf = (leaf: Leaf, depth: number): void => {
    const buffers =
      isShown === undefined ? leaf.buffers : leaf.buffers.filter((b) => isShown(b.tensor))
    const isOwn = isShown === undefined || isShown(leaf.tensor)
    if (!isOwn && buffers.length === 0) return
    // Keys of a hundred thousand tensors are worth leaving alone.
    const isOpen = isShown !== undefined || buffers.length === 0 || !folded.has(leaf.key)
    rows.push({ node: leaf, depth, isOpen })
    if (isOpen) for (const node of buffers) rows.push({ node, depth: depth + 1, isOpen: false })
  }
  const add = (group: Group, depth: number): void => {
    const at = rows.length
    // What a filter has found is shown wherever it is.
    const isOpen = isShown !== undefined || !folded.has(group.key)
    rows.push({ node: group, depth, isOpen })
    if (!isOpen) return
    for (const child of group.children) {
      if (child.kind === 'group') add(child, depth + 1)
      else addLeaf(child, depth + 1)
    }
    // A group without a tensor that is shown.
    if (rows.length === at + 1) rows.pop()
  }
  for (const group of groups) add(group, 0)
  if (compare === undefined) return rows
  const flat = rowsOf(groups, { folded: new Set(), isShown, compare: undefined })
  return flat
    .flatMap(({ node }) => (node.kind === 'tensor' ? node : []))
    .filter(({ tensor }) => isShown === undefined || isShown(tensor))
    .map((node) => ({
      node: { ...node, buffers: [], isBuffer: false, label: fullLabel(node) },
      depth: 0,
      isOpen: false,
    }))
    .sort((a, b) => compare(a.node.tensor, b.node.tensor))
}

function fullLabel({ tensor }: Leaf): string {
  return tensor.state === 'model' ? tensor.name : `${tensor.state}: ${tensor.name}`
}
