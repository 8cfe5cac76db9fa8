/** What the tests of the documentation read in a page of Markdown: code, headings and links. */

/** A fenced block of code. */
export interface Block {
  readonly language: string
  readonly code: string
  /** The line of the page where the block begins, from 1. */
  readonly line: number
  /** The text of a comment on the line before: `<!-- not run: it needs a GPU -->`. */
  readonly note: string | undefined
}

const FENCE = /^(```+)(\S*)[^\n]*\n(.*?)^\1`*\s*$/gms

/** The fenced blocks of a page, in their order. */
export function blocksOf(page: string): Block[] {
  return Array.from(page.matchAll(FENCE), ({ 2: language, 3: code, index }) => {
    const before = page.slice(0, index)
    const note = /<!-- (.*?) -->[ \t]*\n$/.exec(before)?.[1]
    return { language: language!, code: code!, line: before.split('\n').length, note }
  })
}

/** A page without its code, fenced and inline, where a bracket or a `#` means something else. */
function proseOf(page: string): string {
  return page.replace(FENCE, '').replace(/(`+)[^`\n]+?\1/g, (code) => '`'.repeat(code.length))
}

/** The anchors of a page's headings, by GitHub's rule, and those that it names itself. */
export function anchorsOf(page: string): Set<string> {
  const anchors = new Set<string>()
  for (const [, heading] of page.replace(FENCE, '').matchAll(/^#{1,6} +(.*?)[ #]*$/gm)) {
    const text = heading!.replace(/\[([^\]]*)\]\([^)]*\)/g, '$1')
    const slug = text
      .toLowerCase()
      .replace(/[^\p{L}\p{M}\p{N}\p{Pc}\- ]/gu, '')
      .replaceAll(' ', '-')
    let anchor = slug
    for (let n = 1; anchors.has(anchor); n++) anchor = `${slug}-${n}`
    anchors.add(anchor)
  }
  for (const [, name] of page.matchAll(/<a (?:id|name)="([^"]+)"/g)) anchors.add(name!)
  return anchors
}

/** Where the links and images of a page lead to. */
export function linksOf(page: string): string[] {
  const prose = proseOf(page)
  return [
    ...Array.from(prose.matchAll(/\]\(\s*<?([^)\s>]+)>?(?:\s+"[^"]*")?\s*\)/g), ([, to]) => to!),
    ...Array.from(prose.matchAll(/^\[[^\]]+\]: +(\S+)/gm), ([, to]) => to!),
    ...Array.from(
      prose.matchAll(/<(?:a|img|source)\s[^>]*?(?:href|src|srcset)="([^"]+)"/g),
      ([, to]) => to!,
    ),
  ]
}
