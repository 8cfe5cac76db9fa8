/**
 * Paths of a tree's leaves, as they name tensors and attributes in a file: `layers[0].weight`.
 *
 *     layers[0].weight    the key `layers`, the item 0 of an array, the key `weight`
 *     ["a.b"].c           a key of any other characters is quoted, as JSON has it
 *     $                   the root, where the whole tree is one leaf
 *
 * A path says of every container whether it is an array or an object, and no two leaves share one.
 */

/** One step down: a key of an object, or an index of an array. */
export type Segment = string | number

// Keys that need no quotes: letters, digits and what names are commonly joined with. No dot and no
// bracket, which separate; no `$`, which is the root.
const PLAIN = '[\\p{L}\\p{M}\\p{N}_/:@-]+'
const PLAIN_KEY = new RegExp(`^${PLAIN}$`, 'u')
const NEXT_SEGMENT = new RegExp(`\\.?(${PLAIN})|\\[(\\d+)\\]|\\[("(?:[^"\\\\]|\\\\.)*")\\]`, 'uy')
const ROOT = '$'

/** The path of those segments. */
export function treePath(segments: readonly Segment[]): string {
  return segments.length === 0 ? ROOT : segments.reduce(joined, '')
}

/** The segments of a path, or undefined where `path` is not exactly what `treePath` makes of any. */
export function segmentsOf(path: string): readonly Segment[] | undefined {
  if (path === ROOT) return []
  const segments: Segment[] = []
  NEXT_SEGMENT.lastIndex = 0
  while (NEXT_SEGMENT.lastIndex < path.length) {
    const match = NEXT_SEGMENT.exec(path)
    if (match === null) return undefined
    const [, plain, index, quoted] = match
    const segment = plain ?? (index === undefined ? unquoted(quoted!) : Number(index))
    if (segment === undefined) return undefined
    segments.push(segment)
  }
  // One spelling for each path: without this, `["a"]` would be another name for `a`.
  return segments.length > 0 && treePath(segments) === path ? segments : undefined
}

function joined(path: string, segment: Segment): string {
  if (typeof segment === 'number') return `${path}[${segment}]`
  if (!PLAIN_KEY.test(segment)) return `${path}[${JSON.stringify(segment)}]`
  return path === '' ? segment : `${path}.${segment}`
}

function unquoted(text: string): string | undefined {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
