/** The script of a thread that computes checksums. */

import { crc32 } from '../format/checksum.js'
import { libc } from '../io/file/libc.js'
import { Mapping } from '../io/file/mapping.js'
import { PIECE } from '../io/pieces.js'
import type { Range } from '../io/source.js'
import type { ChecksumRequest } from './checksum-pool.js'
import { helpToWork, readCachedBy } from './shared-work.js'
import { answerCalls } from './thread.js'

const mappings = new Map<number, Mapping>()

answerCalls(async (request: ChecksumRequest) => {
  switch (request.call) {
    case 'map': {
      const { map: calls } = await libc()
      const address = calls?.map(request.fd, request.length)
      if (calls === undefined || address === undefined)
        throw new Error('the file could not be mapped')
      mappings.set(request.file, new Mapping(calls, address, request.length))
      return undefined
    }
    case 'checksums':
      return request.ranges.map((range) => checksum(mappings.get(request.file)!, range))
    case 'unmap':
      mappings.get(request.file)?.close()
      mappings.delete(request.file)
      return undefined
    case 'read': {
      const { readCached } = await libc()
      return readCached && helpToWork(request.list, readCachedBy(readCached, request.fd))
    }
  }
})

function checksum(mapping: Mapping, { start, end }: Range): number {
  let crc = 0
  for (let at = start; at < end; at += PIECE) {
    const piece = mapping.look(at, Math.min(PIECE, end - at))
    // Otherwise a failing device, or a file that another process truncates, would end the process.
    if (!mapping.bringIn(at, piece.byteLength))
      throw new Error('the file could not be loaded into memory')
    crc = crc32(piece, crc)
  }
  return crc
}
