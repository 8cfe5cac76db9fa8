/** Files that are dropped anywhere on the page, whatever it shows. */

import { useEffect, useState } from 'preact/hooks'
import { type Dropped, droppedFiles } from '../open/dropped.js'

/**
 * Calls `onDrop` with what was dropped, or with why it cannot be read. The result says whether something is held over the
 * page. Nothing that is dropped leaves the page.
 */
export function useDrop(onDrop: (dropped: Promise<Dropped>) => void): boolean {
  const [isOver, setOver] = useState(false)
  useEffect(() => {
    const drag = (event: DragEvent): void => {
      event.preventDefault()
      setOver(event.type === 'dragover')
    }
    const drop = (event: DragEvent): void => {
      event.preventDefault()
      setOver(false)
      const transfer = event.dataTransfer
      // Text, for example, is none of the page's business.
      if (transfer?.types.includes('Files')) onDrop(droppedFiles(transfer))
    }
    addEventListener('dragover', drag)
    addEventListener('dragleave', drag)
    addEventListener('drop', drop)
    return () => {
      removeEventListener('dragover', drag)
      removeEventListener('dragleave', drag)
      removeEventListener('drop', drop)
    }
  })
  return isOver
}
