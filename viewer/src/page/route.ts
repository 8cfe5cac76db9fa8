/**
 * What the page shows, as the part of its address after `#`. The browser's buttons go back and forward, and a reload
 * shows the same again. Nothing of it reaches a server.
 *
 *   #/run                          the files as a run
 *   #/file/NAME                    a file
 *   #/file/NAME/bytes              where its bytes are
 *   #/file/NAME/tensor/STATE/NAME  a tensor
 *   #/diff/NAME/NAME               two files
 *   #/diff/NAME/NAME/STATE/LAYER   two files, with the tensors of a layer unfolded
 *   …?from=URL                     the address that was opened
 */

/** A view, with what it is of. */
export type View =
  | { readonly kind: 'start' }
  | { readonly kind: 'run' }
  | { readonly kind: 'file'; readonly file: string }
  | { readonly kind: 'bytes'; readonly file: string }
  | {
      readonly kind: 'tensor'
      readonly file: string
      readonly state: string
      readonly tensor: string
    }
  | {
      readonly kind: 'diff'
      readonly before: string
      readonly after: string
      /** The layer, or the tensor, that is looked at. */
      readonly layer?: { readonly state: string; readonly name: string } | undefined
    }

/** A view, and the address that its files are from, if they are from one. */
export interface Route {
  readonly view: View
  readonly from: string | null
}

/** The route of `location.hash`; the start for text that is none. */
export function parseRoute(hash: string): Route {
  const [path = '', query = ''] = hash.replace(/^#/, '').split('?', 2)
  const from = new URLSearchParams(query).get('from')
  let parts: string[]
  try {
    parts = path.split('/').slice(1).map(decodeURIComponent)
  } catch {
    parts = []
  }
  return { view: viewOf(parts), from }
}

function viewOf([kind, first, what, second, third]: readonly string[]): View {
  if (kind === 'run') return { kind }
  if (kind === 'diff' && first !== undefined && what !== undefined) {
    const layer = second && third ? { state: second, name: third } : undefined
    return { kind, before: first, after: what, layer }
  }
  if (kind !== 'file' || first === undefined) return { kind: 'start' }
  if (what === 'bytes') return { kind: 'bytes', file: first }
  if (what === 'tensor' && second !== undefined && third !== undefined) {
    return { kind: 'tensor', file: first, state: second, tensor: third }
  }
  return { kind: 'file', file: first }
}

/** The `href` of a route. */
export function hrefOf({ view, from }: Route): string {
  const query = from === null ? '' : `?from=${encodeURIComponent(from)}`
  const path = partsOf(view).map((part) => `/${encodeURIComponent(part)}`)
  return `#${path.join('') || '/'}${query}`
}

function partsOf(view: View): readonly string[] {
  switch (view.kind) {
    case 'start':
      return []
    case 'run':
      return ['run']
    case 'file':
      return ['file', view.file]
    case 'bytes':
      return ['file', view.file, 'bytes']
    case 'tensor':
      return ['file', view.file, 'tensor', view.state, view.tensor]
    case 'diff':
      return [
        'diff',
        view.before,
        view.after,
        ...(view.layer ? [view.layer.state, view.layer.name] : []),
      ]
  }
}
