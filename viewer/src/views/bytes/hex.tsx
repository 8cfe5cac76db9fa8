/** Bytes as they are: positions, hexadecimal, and the ASCII among them. */

import { useEffect, useState } from 'preact/hooks'
import type { Source } from '../../../../src/io/source.js'
import { useWidth } from '../../plots/hooks.js'
import { countText } from '../../ui/text.js'

// Bytes of a line; half as many where the whole line takes more pixels than there are.
const LINE = 16
const WHOLE_LINE = 500

// Bytes that are shown at once.
const PAGE = 256

interface HexProps {
  readonly source: Source
  readonly start: number
  readonly end: number
}

/** A page of a range, and the way to the next one. */
export function Hex({ source, start, end }: HexProps) {
  const [at, setAt] = useState(start)
  const { element, width } = useWidth<HTMLDivElement>()
  const [bytes, setBytes] = useState<Uint8Array | undefined>(undefined)
  const [problem, setProblem] = useState<string | undefined>(undefined)
  useEffect(() => setAt(start), [start])
  useEffect(() => {
    let isCurrent = true
    const target = new Uint8Array(Math.max(0, Math.min(PAGE, end - at)))
    source.read(target, at).then(
      () => {
        if (!isCurrent) return
        setBytes(target)
        setProblem(undefined)
      },
      (error) => isCurrent && setProblem(error.message),
    )
    return () => {
      isCurrent = false
    }
  }, [source, at, end])
  return (
    <div class="hex" ref={element}>
      <div class="tools">
        <span class="note">
          {countText(at)} to {countText(Math.min(end, at + PAGE) - 1)}
        </span>
        <span class="buttons">
          <button
            type="button"
            disabled={at <= start}
            onClick={() => setAt(Math.max(start, at - PAGE))}
          >
            Back
          </button>
          <button type="button" disabled={at + PAGE >= end} onClick={() => setAt(at + PAGE)}>
            Further
          </button>
          <button
            type="button"
            disabled={at + PAGE >= end}
            onClick={() => setAt(start + Math.floor((end - start - 1) / PAGE) * PAGE)}
          >
            End
          </button>
        </span>
      </div>
      {problem !== undefined ? (
        <p class="problem">{problem}</p>
      ) : (
        <pre tabIndex={0} role="region" aria-label="Bytes in hexadecimal">
          {bytes === undefined ? '' : linesOf(bytes, at, width < WHOLE_LINE ? LINE / 2 : LINE)}
        </pre>
      )}
    </div>
  )
}

function linesOf(bytes: Uint8Array, at: number, length: number): string {
  const lines: string[] = []
  for (let i = 0; i < bytes.length; i += length) {
    const some = bytes.subarray(i, i + length)
    const hex = Array.from(some, (byte) => byte.toString(16).padStart(2, '0'))
    const ascii = Array.from(some, (byte) =>
      byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : '·',
    )
    const halves = [hex.slice(0, 8), hex.slice(8, length)]
      .slice(0, length / 8)
      .map((half) => half.join(' ').padEnd(23))
    lines.push(`${(at + i).toString(16).padStart(8, '0')}  ${halves.join('  ')}  ${ascii.join('')}`)
  }
  return lines.join('\n')
}
