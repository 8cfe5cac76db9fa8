/** The theme of the page. */

import { useEffect, useState } from 'preact/hooks'

// Pictures are drawn before a print begins, when the styles are still those of the screen: the light ones, by this.
const onPaper = (isPaper: boolean) =>
  document.documentElement.toggleAttribute('data-paper', isPaper)
if (globalThis.document !== undefined) {
  addEventListener('beforeprint', () => onPaper(true))
  addEventListener('afterprint', () => onPaper(false))
}

const query = globalThis.matchMedia?.('screen and (prefers-color-scheme: dark)')

/** Whether the page is dark. Paper never is. What is drawn by it belongs in a layout effect, so that a print has it. */
export function useDark(): boolean {
  const [isDark, setDark] = useState(query.matches)
  useEffect(() => {
    const change = () => setDark(query.matches)
    const print = () => setDark(false)
    query.addEventListener('change', change)
    addEventListener('beforeprint', print)
    addEventListener('afterprint', change)
    return () => {
      query.removeEventListener('change', change)
      removeEventListener('beforeprint', print)
      removeEventListener('afterprint', change)
    }
  }, [])
  return isDark
}
