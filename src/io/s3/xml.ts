/** The XML of S3's answers: elements with text or with other elements, no attributes that matter. */

/** An element. */
export interface Element {
  readonly name: string
  readonly children: readonly Element[]
  /** The text of the first element of that name among the children; undefined if there is none. */
  text(name: string): string | undefined
}

const TOKEN = /<\?.*?\?>|<!--.*?-->|<(\/?)([\w:.-]+)[^<>]*?(\/?)>|([^<]+)/gs

/** The root element of a text; undefined if it is not XML. */
export function parseXml(text: string): Element | undefined {
  const root = new Node('')
  const open: Node[] = [root]
  for (const [, end, name, empty, content] of text.matchAll(TOKEN)) {
    const here = open.at(-1)!
    if (content !== undefined) here.content += unescapeXml(content)
    else if (name === undefined) continue
    else if (end === '/') {
      if (here.name !== name || open.length === 1) return undefined
      open.pop()
    } else {
      const element = new Node(name)
      here.children.push(element)
      if (empty !== '/') open.push(element)
    }
  }
  return open.length === 1 ? root.children[0] : undefined
}

/** The children of that name. */
export function elementsOf(element: Element, name: string): readonly Element[] {
  return element.children.filter((child) => child.name === name)
}

class Node implements Element {
  readonly name: string
  readonly children: Node[] = []
  content = ''

  constructor(name: string) {
    this.name = name
  }

  text(name: string): string | undefined {
    return this.children.find((child) => child.name === name)?.content
  }
}

const ENTITIES: { readonly [name: string]: string } = {
  lt: '<',
  gt: '>',
  amp: '&',
  quot: '"',
  apos: "'",
}

function unescapeXml(text: string): string {
  return text.replace(/&(?:#x([\da-f]+)|#(\d+)|(\w+));/gi, (all, hex, decimal, name) => {
    if (name !== undefined) return ENTITIES[name] ?? all
    return String.fromCodePoint(Number.parseInt(hex ?? decimal, hex === undefined ? 10 : 16))
  })
}

/** A text as the content of an element. */
export function escapeXml(text: string): string {
  return text.replace(/[<>&"']/g, (character) => `&#${character.charCodeAt(0)};`)
}
