/** The first thing that is seen, if nothing is open: the ways to open something. */

import { useState } from 'preact/hooks'

interface StartProps {
  /** Why the last attempt failed. */
  readonly problem: string | null
  /** Whether files are held over the page. */
  readonly isOver: boolean
  /** Whether something is being opened. */
  readonly waits: boolean
  readonly onFiles: (files: readonly File[], folder?: string) => void
  readonly onAddress: (text: string) => void
}

/** A place to drop files on, inputs for files and a folder, and one for an address. */
export function Start({ problem, isOver, waits, onFiles, onAddress }: StartProps) {
  const [address, setAddress] = useState('')

  const choose = (event: Event) => {
    const { files } = event.currentTarget as HTMLInputElement
    const chosen = [...(files ?? [])]
    const [folder] = chosen[0]?.webkitRelativePath.split('/') ?? []
    if (chosen.length > 0) onFiles(chosen, folder || undefined)
  }
  if (waits) {
    return (
      <section class="page start" aria-busy="true">
        <p class="note">Opening …</p>
      </section>
    )
  }
  return (
    <section class={`page start${isOver ? ' over' : ''}`}>
      <h1>Look at a checkpoint</h1>
      <p class="lead">
        Is it valid, is it healthy, what changed? Drop a file or the folder of a run anywhere on
        this page. Nothing leaves this machine.
      </p>
      {problem !== null && (
        <p class="problem" role="alert">
          {problem}
        </p>
      )}
      <div class="ways">
        <label class="way">
          <span class="way-title">A file, or several</span>
          <span class="note">.ckpt, .safetensors, .pt, .npz</span>
          <input class="hidden" type="file" multiple onChange={choose} />
          <span class="button">Choose files</span>
        </label>
        <label class="way">
          <span class="way-title">The folder of a run</span>
          <span class="note">its losses, and how its layers move</span>
          <input
            class="hidden"
            type="file"
            multiple
            ref={(input) => input?.setAttribute('webkitdirectory', '')}
            onChange={choose}
          />
          <span class="button">Choose a folder</span>
        </label>
      </div>
      <form
        class="address"
        onSubmit={(event) => {
          event.preventDefault()
          onAddress(address)
        }}
      >
        <label for="address">An address</label>
        <input
          id="address"
          type="url"
          required
          placeholder="https://example.org/step-1000.ckpt"
          value={address}
          onInput={(event) => setAddress(event.currentTarget.value)}
        />
        <button type="submit">Open</button>
        <span class="note">
          Only the ranges that are shown are read. A server of another origin has to allow it
          (CORS).
        </span>
      </form>
      <p class="note">
        From a terminal, <code>npx ckpt view runs/mine</code> opens a folder, a file, an address or
        a bucket.
      </p>
    </section>
  )
}
