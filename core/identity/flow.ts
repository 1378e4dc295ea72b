/** What a browser keeps while its person is at the provider: sealed, for ten minutes, for one sign-in. */
import * as z from 'zod'
import { randomText } from '../ids.ts'
import { parsedJson } from '../json/parse.ts'
import { createSecretBox } from '../secrets/box.ts'
import type { AuthSettings } from '../settings.ts'
import { MINUTE_MS } from '../units.ts'
import type { SignInSecrets } from './provider.ts'

export const FLOW_MS = 10 * MINUTE_MS
/** 43 characters at least for PKCE: https://www.rfc-editor.org/rfc/rfc7636#section-4.1 */
const LENGTH = 48
const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789'

const Kept = z.strictObject({
  state: z.string(),
  nonce: z.string(),
  verifier: z.string(),
  /** Where the person wanted to go: a path of this site. */
  next: z.string(),
  startedAt: z.number(),
})
export type Flow = z.output<typeof Kept>

export function newSecrets(): SignInSecrets {
  const text = () => randomText(LENGTH, ALPHABET)
  return { state: text(), nonce: text(), verifier: text() }
}

/** Text for the browser's cookie; it opens for the same provider only. */
export function encryptFlow(
  auth: Pick<AuthSettings, 'secrets'>,
  provider: string,
  flow: Flow,
): Promise<string> {
  return createSecretBox(auth.secrets).seal(JSON.stringify(flow), purposeOf(provider))
}

/** The flow of a cookie; undefined for one that was changed, is of another provider or too old. `now` in ms since 1970. */
export async function decryptFlow(
  auth: Pick<AuthSettings, 'secrets'>,
  provider: string,
  { sealed, now }: { sealed: string; now: number },
): Promise<Flow | undefined> {
  const text = await createSecretBox(auth.secrets).open(sealed, purposeOf(provider))
  const flow = text === undefined ? undefined : Kept.safeParse(parsedJson(text)).data
  return flow && now - flow.startedAt < FLOW_MS ? flow : undefined
}

function purposeOf(provider: string): string {
  return `sign-in at ${provider}`
}

/** A path of this site, as given if it is one, else /. Browsers take // and backslashes for the begin of another address. */
export function localPath(given: string | undefined): string {
  const isPlain = given !== undefined && /^\/(?![/\\])[\x21-\x5b\x5d-\x7e]*$/.test(given)
  return isPlain && !/^\/(api|admin\/api)(\/|$)/.test(given) ? given : '/'
}
