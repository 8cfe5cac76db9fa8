/** A tensor before and after, and the difference, as pictures next to each other. */

import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks'
import type { ViewedFile } from '../../compute/facts.js'
import type { TensorPair } from '../../compute/jobs.js'
import type { Picture } from '../../compute/picture.js'
import { compute } from '../../page/computing.js'
import { contextOf } from '../../plots/hooks.js'
import { diverging } from '../../plots/ramp.js'
import { digits } from '../../plots/text.js'
import { useDark } from '../../ui/theme.js'
import { limitOf, requestOf } from './grid-of.js'

// CSS pixels of a picture, and most of one of its cells.
const SIZE = 280
const LARGEST_CELL = 24

interface HeatMapsProps {
  readonly before: ViewedFile
  readonly after: ViewedFile
  readonly pair: TensorPair
}

/** Three pictures. The first two have the same colours; the third has its own. */
export function HeatMaps({ before, after, pair }: HeatMapsProps) {
  const [pictures, setPictures] = useState<readonly [Picture, Picture, Picture]>()
  const [problem, setProblem] = useState<string>()
  const names = `${before.id} ${after.id} ${pair.before.state} ${pair.before.name}`
  useEffect(() => {
    const controller = new AbortController()
    const options = { signal: controller.signal, priority: 1 }
    const request = requestOf(pair.before.shape)
    const first = { file: before, tensor: pair.before }
    Promise.all([
      compute.picture(before, pair.before, request, options),
      compute.picture(after, pair.after, request, options),
      compute.picture(after, pair.after, request, options, first),
    ]).then(setPictures, (error) => controller.signal.aborted || setProblem(String(error.message)))
    return () => controller.abort(new Error('another tensor'))
  }, [names])
  if (problem !== undefined) return <p class="problem">{problem}</p>
  if (pictures === undefined) return <p class="note heat-waits">Reading …</p>
  const [first, second, difference] = pictures
  const limit = Math.max(limitOf(first), limitOf(second))
  const { shape } = pair.before
  const others = shape.slice(0, -2)
  const isReduced =
    shape.length > 1 && (first.width < shape.at(-1)! || first.height < shape.at(-2)!)
  return (
    <div class="heat-maps">
      <HeatMap title="before" picture={first} limit={limit} />
      <HeatMap title="after" picture={second} limit={limit} />
      <HeatMap title="difference" picture={difference} limit={limitOf(difference)} />
      <p class="heat-note">
        {shape.length === 1 && shape[0]! > 1 && 'The vector is wrapped into rows. '}
        {others.some((length) => length > 1) && `The first slice of ${others.join(' × ')}. `}
        {isReduced && 'A cell of several elements shows the one of the largest size.'}
      </p>
    </div>
  )
}

interface HeatMapProps {
  readonly title: string
  readonly picture: Picture
  readonly limit: number
}

function HeatMap({ title, picture, limit }: HeatMapProps) {
  const canvas = useRef<HTMLCanvasElement>(null)
  const isDark = useDark()
  const { width, height, values, isSet } = picture
  const scale = Math.min(SIZE / Math.max(1, width), SIZE / Math.max(1, height), LARGEST_CELL)
  const [w, h] = [Math.max(4, Math.round(width * scale)), Math.max(4, Math.round(height * scale))]
  useLayoutEffect(() => {
    if (width === 0 || height === 0) return
    const image = new ImageData(width, height)
    const bad = isDark ? [255, 92, 220] : [200, 0, 150]
    for (let i = 0; i < values.length; i++) {
      if (isSet[i] === 0) continue
      const value = values[i]!
      const part = limit === 0 ? 0 : value / limit
      const colour = Number.isFinite(value) ? diverging(part, isDark) : bad
      image.data.set([...colour, 255], i * 4)
    }
    const cells = document.createElement('canvas')
    cells.width = width
    cells.height = height
    cells.getContext('2d')!.putImageData(image, 0, 0)
    const context = contextOf(canvas.current!, w, h)
    context.imageSmoothingEnabled = false
    context.drawImage(cells, 0, 0, w, h)
  }, [picture, limit, isDark, w, h])
  const broken = values.reduce((count, value) => count + Number(!Number.isFinite(value)), 0)
  const range = `colours from ${digits(-limit)} to ${digits(limit)}`
  const label = `${title}: ${width} × ${height} cells, ${range}${broken > 0 ? `, ${broken} cells with NaN or infinity` : ''}`
  return (
    <figure class="heat-map">
      <canvas ref={canvas} role="img" aria-label={label} />
      <figcaption>
        {title} <span class="heat-range">±{digits(limit)}</span>
        {broken > 0 && <span class="heat-broken"> NaN, ∞</span>}
      </figcaption>
    </figure>
  )
}
