/** Looks at a run with the keyboard, follows a cell to the comparison, and posts what it saw. */

interface Axe {
  run(): Promise<{ violations: { id: string; nodes: { html: string }[] }[] }>
}

const all = (selector: string): HTMLElement[] => [
  ...document.querySelectorAll<HTMLElement>(selector),
]
const texts = (selector: string): string[] =>
  all(selector).map(({ textContent }) => (textContent ?? '').replace(/\s+/g, ' ').trim())

async function until(what: string, is: () => boolean): Promise<void> {
  for (let i = 0; i < 600; i++) {
    if (is()) return
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  throw new Error(`never seen: ${what}; the page says ${document.body.innerText.slice(0, 400)}`)
}

async function violations(): Promise<string[]> {
  const { violations } = await (globalThis as unknown as { axe: Axe }).axe.run()
  return violations.map(({ id, nodes }) => `${id}: ${nodes[0]!.html}`)
}

function press(element: Element, key: string): void {
  element.dispatchEvent(new KeyboardEvent('keydown', { key, bubbles: true, cancelable: true }))
}

/** Whether a canvas has pixels of more than one colour. */
function isDrawn(canvas: HTMLCanvasElement): boolean {
  const { data } = canvas.getContext('2d')!.getImageData(0, 0, canvas.width, canvas.height)
  const colours = new Set(new Uint32Array(data.buffer))
  return colours.size > 2
}

// The plots above the picture, each time the page has changed while it has one.
const plotsAbove = new Set<string>()
new MutationObserver(() => {
  if (all('.change-map').length > 0) plotsAbove.add(texts('.plot-title').join())
}).observe(document, { subtree: true, childList: true })

async function look(): Promise<object> {
  await until('the findings', () => all('.finding').length > 0)
  await until('the layers', () => all('.layer-table tbody tr').length > 0)
  await until('the norm of the last checkpoint', () =>
    texts('.layer-table td:first-of-type').every((text) => text !== ''),
  )
  const map = all('.change-map')[0]!
  await until('the picture', () => isDrawn(map.querySelector('canvas')!))
  const run = {
    findings: texts('.finding'),
    unread: texts('.unread li'),
    layers: texts('.layer-table tbody th'),
    plots: texts('.plot-title'),
    plotsAbove: [...plotsAbove],
    violations: await violations(),
    overflows: document.documentElement.scrollWidth > innerWidth,
  }
  map.focus()
  press(map, 'ArrowDown')
  await until('the last cell', () => texts('.readout').some((text) => text.includes('step 50')))
  press(map, 'Home')
  await until('the first cell', () => texts('.readout').some((text) => text.includes('step 10')))
  const readout = texts('.readout')[0]
  press(map, 'Enter')
  const pictures = (): HTMLCanvasElement[] => all('.heat-map canvas') as HTMLCanvasElement[]
  await until('the pictures', () => pictures().length === 3 && pictures().every(isDrawn))
  const diff = {
    hash: decodeURIComponent(location.hash),
    rows: texts('.diff-table tbody tr:not(.pictures) th'),
    titles: texts('.heat-map figcaption'),
    violations: await violations(),
    overflows: document.documentElement.scrollWidth > innerWidth,
  }
  history.back()
  await until('the run again', () => all('.change-map').length > 0)
  return { run, readout, diff }
}

look()
  .catch((error) => ({ error: String(error?.stack ?? error) }))
  .then((result) => fetch('/result', { method: 'POST', body: JSON.stringify(result) }))
