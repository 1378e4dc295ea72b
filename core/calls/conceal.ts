/**
 * What an upstream sent back may quote the credential that it was called with. No client sees it: a header that holds
 * it is left out, and in the body of an error it is replaced by as many asterisks, so that content-length still holds.
 * The body of a success is never touched.
 */
import { joined } from '../bytes.ts'
import type { Sink, UpstreamReply } from '../ports.ts'
import type { Backend } from '../settings.ts'

/** Anything shorter is no secret, and would turn ordinary words into asterisks. */
const SHORTEST_SECRET = 8
/** One character per byte, whatever the byte. */
const DECODER = new TextDecoder('latin1')
const ASTERISK = 0x2a

/** By what they are the forms of: a backend, or the secrets that its credentials hold now. */
const formsOfHolder = new WeakMap<object, readonly string[]>()

/** The answer as a client may see it. Costs a success nothing but a look at its long headers. */
export function concealed(
  reply: UpstreamReply,
  backend: Backend,
  secrets?: readonly string[],
): UpstreamReply {
  const forms = credentialForms(backend, secrets)
  if (forms.length === 0) return reply
  const quotes = reply.headers.some(([name, value]) => forms.some((form) => holds(name, value, form)))
  const headers = quotes
    ? reply.headers.filter(([name, value]) => !forms.some((form) => holds(name, value, form)))
    : reply.headers
  if (reply.status < 300) return quotes ? { ...reply, headers } : reply
  return {
    ...reply,
    headers,
    first: reply.first && masked(reply.first, forms),
    pipe(sink) {
      const masking = maskingSink(sink, forms)
      const flowing = reply.pipe(masking.sink)
      return flowing ? flowing.then(masking.end) : masking.end()
    },
  }
}

/** Every form in which the backend's credential may be quoted: its API key, or the secrets that `Credentials` hold now. */
export function credentialForms(backend: Backend, secrets?: readonly string[]): readonly string[] {
  const holder = secrets ?? backend
  const known = formsOfHolder.get(holder)
  if (known) return known
  const forms = (secrets ?? [backend.apiKey]).flatMap(formsOf)
  formsOfHolder.set(holder, forms)
  return forms
}

/** `secret` as it is, within base64 at any position, and percent-encoded. */
function formsOf(secret: string): string[] {
  if (secret.length < SHORTEST_SECRET) return []
  const encoded = [0, 1, 2].flatMap((offset) => {
    // The characters at both ends also depend on what stands beside the secret.
    const text = btoa('\0'.repeat(offset) + secret).replace(/=+$/, '')
    const inner = text.slice(
      offset === 0 ? 0 : offset + 1,
      (offset + secret.length) % 3 === 0 ? undefined : -1,
    )
    return [inner, inner.replaceAll('+', '-').replaceAll('/', '_')]
  })
  return [...new Set([secret, ...encoded, encodeURIComponent(secret)])]
}

function holds(name: string, value: string, form: string): boolean {
  return (
    (value.length >= form.length && value.includes(form)) ||
    // Header names are in lower case.
    (name.length >= form.length && name.includes(form.toLowerCase()))
  )
}

/** The same bytes, or a copy with every form masked. */
export function masked(bytes: Uint8Array, forms: readonly string[]): Uint8Array {
  const text = DECODER.decode(bytes)
  let copy: Uint8Array | undefined
  for (const form of forms) {
    for (let at = text.indexOf(form); at >= 0; at = text.indexOf(form, at + 1)) {
      copy ??= bytes.slice()
      copy.fill(ASTERISK, at, at + form.length)
    }
  }
  return copy ?? bytes
}

/** Holds back as many bytes as may be the beginning of a form that the next chunk completes. */
function maskingSink(sink: Sink, forms: readonly string[]): { sink: Sink; end(): void | Promise<void> } {
  const held = Math.max(...forms.map(({ length }) => length)) - 1
  let rest: Uint8Array = new Uint8Array(0)
  return {
    sink: {
      ...sink,
      write(chunk) {
        const known = masked(joined([rest, chunk]), forms)
        const ready = Math.max(0, known.length - held)
        rest = known.slice(ready)
        if (ready > 0) return sink.write(known.subarray(0, ready))
      },
    },
    end() {
      if (rest.length > 0) return sink.write(rest)
    },
  }
}
