/** Files of a drop, with those in a folder that was dropped. */

/** The files, and the name of the folder if one was dropped. */
export interface Dropped {
  readonly files: readonly File[]
  readonly folder?: string
}

/** An item of a drop, as Chromium has it. */
interface HandleItem {
  getAsFileSystemHandle?(): Promise<FileSystemHandle | null>
}

/**
 * Collects what was dropped. Call it in the event itself: the list is empty afterwards. Rejects if the browser does not let
 * the page read a folder.
 */
export async function droppedFiles(transfer: DataTransfer): Promise<Dropped> {
  const items = [...transfer.items].filter(({ kind }) => kind === 'file')
  const entries = items.flatMap((item) => item.webkitGetAsEntry?.() ?? [])
  const plain = [...transfer.files]
  const folder = entries.find((entry) => entry.isDirectory)
  if (folder === undefined) return { files: plain }
  const handles = items.map((item) => (item as HandleItem).getAsFileSystemHandle?.())
  // They are asked for in any case, as the list of items does not last.
  for (const handle of handles) handle?.catch(() => {})
  const files: File[] = []
  try {
    for (const entry of entries) await collect(entry, files, 0)
  } catch {
    // A page that was opened from a disk: Chromium has entries that cannot be read there, and handles that can.
    files.length = 0
    try {
      for (const handle of handles) await collectHandle(await handle, files, 0)
    } catch {
      files.length = 0
    }
    if (files.length === 0) {
      throw new Error(
        'the browser does not let this page read a folder that is dropped: choose the folder with the button',
      )
    }
  }
  return { files, folder: folder.name }
}

// Folders below folders, such as those of a run with several parts.
const DEEPEST = 3

async function collect(entry: FileSystemEntry, files: File[], depth: number): Promise<void> {
  if (entry.isFile) {
    files.push(await new Promise<File>((...done) => (entry as FileSystemFileEntry).file(...done)))
    return
  }
  if (depth === DEEPEST) return
  const reader = (entry as FileSystemDirectoryEntry).createReader()
  for (;;) {
    // Gives a hundred at a time.
    const some = await new Promise<FileSystemEntry[]>((...done) => reader.readEntries(...done))
    if (some.length === 0) return
    for (const inner of some) await collect(inner, files, depth + 1)
  }
}

async function collectHandle(
  handle: FileSystemHandle | null | undefined,
  files: File[],
  depth: number,
): Promise<void> {
  if (handle?.kind === 'file') files.push(await (handle as FileSystemFileHandle).getFile())
  if (handle?.kind !== 'directory' || depth === DEEPEST) return
  for await (const inner of (handle as FileSystemDirectoryHandle).values()) {
    await collectHandle(inner, files, depth + 1)
  }
}
