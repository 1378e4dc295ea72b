/** Posts to channels on Node and Lambda. Addresses are checked when they are connected to, so that no name can lead elsewhere then. */
import { type LookupAddress, type LookupOptions, lookup } from 'node:dns'
import { request as httpRequest, type IncomingMessage } from 'node:http'
import { request as httpsRequest } from 'node:https'
import type { LookupFunction } from 'node:net'
import { addressIn, isPublicAddress, problemOfAddress } from '../../../core/notices/address.ts'
import { beginningOf } from './format.ts'
import type { Post } from './notifier.ts'

const ANSWER_MS = 10_000

type Resolve = (
  name: string,
  options: LookupOptions & { all: true },
  done: (error: NodeJS.ErrnoException | null, addresses: LookupAddress[]) => void,
) => void

class Refused extends Error {}

export function nodePost({
  allowPrivate,
  resolve = lookup,
}: {
  allowPrivate: boolean
  resolve?: Resolve
}): Post {
  const secure = checkedLookup(resolve, (address) => allowPrivate || isPublicAddress(address))
  // Nothing that is not encrypted leaves the private network.
  const plain = checkedLookup(resolve, (address) => allowPrivate && !isPublicAddress(address))
  return async ({ url, headers, body }) => {
    const problem = problemOfAddress(url, allowPrivate)
    if (problem !== undefined) throw new Error(`its address is refused: ${problem}`)
    const at = new URL(url)
    try {
      const answer = await sent(at, { headers, body, lookup: at.protocol === 'https:' ? secure : plain })
      return { status: answer.statusCode ?? 0, text: await beginningOf(answer) }
    } catch (cause) {
      throw told(cause, at)
    }
  }
}

/** No connection is kept, so that each message is checked, and no redirect is followed. */
function sent(
  url: URL,
  { headers, body, lookup }: { headers: Record<string, string>; body: string; lookup: LookupFunction },
): Promise<IncomingMessage> {
  const signal = AbortSignal.timeout(ANSWER_MS)
  return new Promise((resolve, reject) => {
    const request = url.protocol === 'https:' ? httpsRequest : httpRequest
    const asked = request(url.href, { method: 'POST', headers, agent: false, lookup, signal })
    asked.on('response', resolve)
    asked.on('error', (cause) => reject(signal.aborted ? signal.reason : cause))
    asked.end(body)
  })
}

/** Addresses by number are no names: problemOfAddress has checked them. */
function checkedLookup(resolve: Resolve, isAllowed: (address: string) => boolean): LookupFunction {
  return (name, options, done) => {
    resolve(name, { ...options, all: true }, (error, addresses) => {
      const [first] = addresses ?? []
      if (error || !first) return done(error ?? new Error('no address'), '')
      if (!addresses.every(({ address }) => isAllowed(address))) {
        return done(new Refused('its name leads to an address that is refused'), '')
      }
      if (options.all) done(null, addresses)
      else done(null, first.address, first.family)
    })
  }
}

/** An error that tells nothing of the address: only its code, or that it took too long. */
function told(cause: unknown, url: URL): Error {
  if (cause instanceof Refused) return cause
  if (cause instanceof Error && cause.name === 'TimeoutError') return new Error('it did not answer in time')
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : 'unknown'
  return new Error(`${addressIn(url) ? 'it' : 'its host'} cannot be reached (${code.slice(0, 60)})`)
}
