/** What pictures need to know of the page. */

import { useLayoutEffect, useRef, useState } from 'preact/hooks'

// Pixels of the width of a printed page, A4 or Letter, within its margins. An element is not measured before it is printed.
const PRINTED = 700

/** The width of an element in pixels, as it changes; 0 before it is there. */
export function useWidth<E extends HTMLElement>() {
  const element = useRef<E>(null)
  const [width, setWidth] = useState(0)
  useLayoutEffect(() => {
    const observed = element.current
    if (observed === null) return
    const measure = () => setWidth(Math.floor(observed.clientWidth))
    measure()
    const print = () => setWidth(PRINTED)
    const observer = new ResizeObserver(measure)
    observer.observe(observed)
    addEventListener('beforeprint', print)
    addEventListener('afterprint', measure)
    return () => {
      observer.disconnect()
      removeEventListener('beforeprint', print)
      removeEventListener('afterprint', measure)
    }
  }, [])
  return { element, width }
}

/** A canvas of that many CSS pixels, sharp on every screen: sizes it, and returns what to draw with. */
export function contextOf(
  canvas: HTMLCanvasElement,
  width: number,
  height: number,
): CanvasRenderingContext2D {
  const scale = Math.min(3, globalThis.devicePixelRatio || 1)
  canvas.width = Math.max(1, Math.round(width * scale))
  canvas.height = Math.max(1, Math.round(height * scale))
  canvas.style.width = `${width}px`
  canvas.style.height = `${height}px`
  const context = canvas.getContext('2d')!
  context.scale(scale, scale)
  return context
}
