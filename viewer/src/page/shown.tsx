/** Chooses the view that the route names. */

import type { ComponentChildren } from 'preact'
import { BytesView } from '../views/bytes/bytes-view.js'
import { DiffView } from '../views/diff/diff-view.js'
import { FileView } from '../views/file/file-view.js'
import { RunView } from '../views/run/run-view.js'
import { TensorView } from '../views/tensor/tensor-view.js'
import { fileNamed, useSession } from './context.js'
import type { View } from './route.js'

/** The view of a route. */
export function Shown({ view }: { readonly view: View }) {
  const session = useSession()
  switch (view.kind) {
    case 'start':
      return null
    case 'run':
      return <RunView />
    case 'diff': {
      const [before, after] = [fileNamed(session, view.before), fileNamed(session, view.after)]
      if (before === undefined || after === undefined) {
        return <NotOpen name={before === undefined ? view.before : view.after} />
      }
      return <DiffView {...{ before, after }} layer={view.layer} />
    }
    default: {
      const file = fileNamed(session, view.file)
      if (file === undefined) return <NotOpen name={view.file} />
      if (view.kind === 'tensor') {
        return <TensorView file={file} state={view.state} name={view.tensor} />
      }
      return view.kind === 'bytes' ? <BytesView file={file} /> : <FileView file={file} />
    }
  }
}

/** For an address of a file that is not among the open ones. */
export function NotOpen({ name }: { readonly name: string }): ComponentChildren {
  return (
    <section class="page">
      <h1>{name}</h1>
      <p>This file is not open. Drop it on the page, or go back.</p>
    </section>
  )
}
