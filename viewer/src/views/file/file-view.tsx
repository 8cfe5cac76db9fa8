/** A file: what there is to know at a glance, its tensors, and what else it holds. */

import { useEffect } from 'preact/hooks'
import type { FileFacts, ViewedFile } from '../../compute/facts.js'
import { useHref, useSession } from '../../page/context.js'
import { type FileWork, workOn } from '../../page/file-work.js'
import { bytesText, formatText, nameText } from '../../ui/text.js'
import { useWatched } from '../../ui/watched.js'
import { Contents } from './contents.js'
import { TensorTable } from './tensor-table.js'
import { Verdict } from './verdict.js'

// Up to this many bytes, a file of this machine is read as soon as it is opened.
const READ_AT_ONCE = 4 * 1024 ** 3

// The same for a file on a server: few enough to be there at once.
const FETCHED_AT_ONCE = 4 * 1024 ** 2

/** Whether all of a file is read without being asked for. */
export function isReadAtOnce(byteLength: number, isLocal: boolean): boolean {
  return byteLength <= (isLocal ? READ_AT_ONCE : FETCHED_AT_ONCE)
}

/** The view of a file. */
export function FileView({ file }: { readonly file: ViewedFile }) {
  const work = workOn(file)
  const facts = useWatched(work.facts)
  const { isLocal } = useSession()
  useEffect(() => {
    work.readFacts().then(async (found) => {
      if (found === undefined || !isReadAtOnce(found.byteLength, isLocal)) return
      await work.readStatistics()
      await work.verify()
    })
  }, [work, isLocal])

  if (facts.kind === 'reading') return <Reading name={file.name} />
  if (facts.kind === 'failed') return <Unreadable file={file} {...facts} />
  return <Read work={work} facts={facts.facts} />
}

function Read({ work, facts }: { readonly work: FileWork; readonly facts: FileFacts }) {
  const href = useHref()
  return (
    <div class="page">
      <div class="title">
        <h1>{nameText(work.file.name)}</h1>
        <span class="note">
          {formatText(facts.format)} · {bytesText(facts.byteLength)}
        </span>
        <span class="title-links">
          <a href={href({ kind: 'bytes', file: work.file.name })}>Bytes</a>
        </span>
      </div>
      <Verdict work={work} facts={facts} />
      <div class="file-columns">
        <TensorTable work={work} facts={facts} />
        <Contents facts={facts} />
      </div>
    </div>
  )
}

function Reading({ name }: { readonly name: string }) {
  return (
    <div class="page" aria-busy="true">
      <h1>{nameText(name)}</h1>
      <p class="note">Reading what is in the file …</p>
    </div>
  )
}

interface UnreadableProps {
  readonly file: ViewedFile
  readonly code: string | undefined
  readonly message: string
}

/** What is wrong with a file that cannot be read at all. Its bytes may still tell. */
export function Unreadable({ file, code, message }: UnreadableProps) {
  const href = useHref()
  return (
    <div class="page">
      <div class="title">
        <h1>{nameText(file.name)}</h1>
      </div>
      <div class="problem" role="alert">
        <strong>{headline(code)}</strong>
        <p>{message}</p>
        {code !== undefined && <p class="mono">{code}</p>}
      </div>
      <p>
        <a href={href({ kind: 'bytes', file: file.name })}>Look at its bytes</a>
      </p>
    </div>
  )
}

function headline(code: string | undefined): string {
  switch (code) {
    case 'CKPT_NOT_A_CHECKPOINT':
    case 'CKPT_FOREIGN_FILE':
      return 'This is not a checkpoint that can be read here'
    case 'CKPT_READ':
      return 'The file could not be read'
    case 'CKPT_FILE_CHANGED':
      return 'The file has changed since it was opened'
    case undefined:
      return 'The file could not be opened'
    default:
      return 'The file is damaged'
  }
}
