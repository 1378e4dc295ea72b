/** HTTP as bytes, for what no client library sends. */
import { connect } from 'node:net'

/** A machine that is busy takes long to begin. */
const FIRST_BYTE_MS = 10_000

/** Sends `text` and answers all that comes back until the connection closes, or is quiet for `quietMs` after the first byte. */
export function sendRaw(url: string, text: string, quietMs = 400): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect(Number(new URL(url).port), '127.0.0.1')
    let got = ''
    socket.setTimeout(FIRST_BYTE_MS, () => socket.destroy())
    socket.on('data', (data) => {
      socket.setTimeout(quietMs)
      got += data
    })
    socket.on('error', () => {})
    socket.on('close', () => resolve(got))
    socket.write(text)
  })
}

export function statusesOf(got: string): number[] {
  return [...got.matchAll(/HTTP\/1\.[01] (\d{3})/g)].map(([, status]) => Number(status))
}
