/** Whether Claude Code would sign in at the gateway's address: it does at private ones only (core/calls/PROTOCOL.md, Signing in). */
import { addressOf, isIn, networksOf } from '../http/networks.ts'
import type { Clock, HostLookup } from '../ports.ts'
import { MINUTE_MS } from '../units.ts'

const PRIVATE = networksOf([
  '10.0.0.0/8',
  '172.16.0.0/12',
  '192.168.0.0/16',
  '169.254.0.0/16',
  '100.64.0.0/10',
  '127.0.0.0/8',
  'fc00::/7',
  'fe80::/10',
  '::1/128',
])
/** Names that Cloudflare and AWS give out are public, whoever looks them up. */
const PUBLIC_NAME = /\.(workers\.dev|pages\.dev|on\.aws|amazonaws\.com|cloudfront\.net)$/

/** Why Claude Code would not sign in; undefined where it would, as far as this machine can tell. */
export type SignInProblem = () => Promise<string | undefined>

/** Names are looked up once a minute at most. `lookup` is absent where the runtime cannot. */
export function createSignInProblem(
  publicUrl: string,
  { clock, lookup }: { clock: Clock; lookup?: HostLookup | undefined },
): SignInProblem {
  let asked: { at: number; problem: Promise<string | undefined> } | undefined
  return () => {
    if (publicUrl === '') return Promise.resolve(undefined)
    const now = clock.elapsed()
    if (!asked || now - asked.at >= MINUTE_MS) {
      asked = { at: now, problem: problemWith(new URL(publicUrl).hostname, lookup) }
    }
    return asked.problem
  }
}

async function problemWith(host: string, lookup: HostLookup | undefined): Promise<string | undefined> {
  const plain = host.replace(/^\[|\]$/g, '')
  const addresses = addressOf(plain) ? [plain] : await addressesOf(plain, lookup)
  const open = addresses.find((address) => !isIn(PRIVATE, address))
  if (open === undefined && !PUBLIC_NAME.test(plain)) return undefined
  const where = open === undefined || open === plain ? 'is public' : `is at ${open}, which is public`
  return `${plain} ${where}. Claude Code signs in (/login) at private addresses only: give the gateway a private name, or hand out API keys.`
}

/** A name that nobody knows is as good as private. */
async function addressesOf(name: string, lookup: HostLookup | undefined): Promise<readonly string[]> {
  if (!lookup) return []
  return lookup(name).catch(() => [])
}
