/** Frames as Bedrock sends them, made by hand from AWS's description and not by the library that reads them. */
import { crc32 } from 'node:zlib'

/** One frame with headers that are texts. */
export function frame(headers: Readonly<Record<string, string>>, payload: string): Buffer {
  const head = Buffer.concat(
    Object.entries(headers).map(([name, value]) => {
      const bytes = Buffer.from(value)
      const length = Buffer.alloc(2)
      length.writeUInt16BE(bytes.length)
      return Buffer.concat([Buffer.from([name.length]), Buffer.from(name), Buffer.from([7]), length, bytes])
    }),
  )
  const body = Buffer.from(payload)
  const prelude = Buffer.alloc(12)
  prelude.writeUInt32BE(head.length + body.length + 16, 0)
  prelude.writeUInt32BE(head.length, 4)
  prelude.writeUInt32BE(crc32(prelude.subarray(0, 8)), 8)
  const checksum = Buffer.alloc(4)
  const message = Buffer.concat([prelude, head, body])
  checksum.writeUInt32BE(crc32(message))
  return Buffer.concat([message, checksum])
}

/** One event of Claude's; `json` goes as it is. */
export function chunkFrame(json: string): Buffer {
  const payload = JSON.stringify({ bytes: Buffer.from(json).toString('base64'), p: 'abcdef' })
  return frame(
    { ':event-type': 'chunk', ':content-type': 'application/json', ':message-type': 'event' },
    payload,
  )
}

export function exceptionFrame(name: string, message: string): Buffer {
  return frame(
    { ':exception-type': name, ':content-type': 'application/json', ':message-type': 'exception' },
    JSON.stringify({ message }),
  )
}

/** The same frame with one byte of its payload changed, so that its checksum is wrong. */
export function damaged(whole: Buffer): Buffer {
  const copy = Buffer.from(whole)
  const at = whole.length - 6
  copy[at] = (copy[at] ?? 0) ^ 1
  return copy
}
