/**
 * A network in front of a server: so many bytes per second in each direction for all connections together and for each one,
 * and half of a round trip on the way. Prints its port. Arguments, as JSON: `port`, `total`, `each` (bytes per second; null
 * for no limit) and `roundTrip` (milliseconds).
 */

import { type AddressInfo, connect, createServer, type Socket } from 'node:net'

const { port, total, each, roundTrip } = JSON.parse(process.argv[2]!) as {
  readonly port: number
  readonly total: number | null
  readonly each: number | null
  readonly roundTrip: number
}

// What a timer may be late without a loss of bandwidth, in milliseconds.
const CREDIT = 200

/** Bytes that pass one after the other, at a rate. */
class Lane {
  readonly #rate: number
  #free = 0

  constructor(rate: number | null) {
    this.#rate = rate ?? Number.POSITIVE_INFINITY
  }

  /** When so many bytes more have passed. */
  pass(byteLength: number): number {
    this.#free = Math.max(this.#free, performance.now() - CREDIT) + (byteLength / this.#rate) * 1000
    return this.#free
  }
}

/** Carries the bytes of one direction of a connection. */
function carry(from: Socket, to: Socket, shared: Lane): void {
  const own = new Lane(each)
  const underWay: { readonly bytes: Buffer; readonly due: number }[] = []
  let isEnded = false
  const deliver = (): void => {
    const now = performance.now()
    while (underWay[0] !== undefined && underWay[0].due <= now) to.write(underWay.shift()!.bytes)
    if (underWay[0] !== undefined) setTimeout(deliver, underWay[0].due - now)
    else if (isEnded) to.end()
  }
  from.on('data', (bytes: Buffer) => {
    const passed = Math.max(shared.pass(bytes.byteLength), own.pass(bytes.byteLength))
    underWay.push({ bytes, due: passed + roundTrip / 2 })
    if (underWay.length === 1) deliver()
    const wait = passed - performance.now()
    if (wait <= 1) return
    from.pause()
    setTimeout(() => from.resume(), wait)
  })
  from.on('end', () => {
    isEnded = true
    if (underWay.length === 0) to.end()
  })
  from.on('error', () => to.destroy())
}

const up = new Lane(total)
const down = new Lane(total)
const server = createServer({ allowHalfOpen: true, noDelay: true }, (client) => {
  const upstream = connect({ port, host: '127.0.0.1', allowHalfOpen: true, noDelay: true })
  carry(client, upstream, up)
  carry(upstream, client, down)
})
server.listen(0, '127.0.0.1', () => console.log((server.address() as AddressInfo).port))
