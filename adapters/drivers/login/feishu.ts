/**
 * Feishu (Lark outside China), whose OAuth is no OpenID Connect: https://open.feishu.cn/document/sso/web-application-end-user-consent/guide
 * A person is their `union_id`, which is the same in all applications of a company.
 */
import * as z from 'zod'
import type { Config } from '../../../config/schema.ts'
import {
  type LoginProvider,
  ProviderRefused,
  ProviderUnavailable,
  type Verified,
} from '../../../core/identity/provider.ts'
import { rulesFrom } from './rules.ts'

const TIMEOUT_MS = 10_000
/** Codes and refresh tokens that are wrong, used or expired; people who are unknown, left, are frozen or not registered. */
const DENIALS = [
  20_003, 20_004, 20_026, 20_037, 20_064, 20_065, 20_073, 20_008, 20_021, 20_022, 20_023, 20_066,
]

const Tokens = z.looseObject({
  code: z.literal(0),
  access_token: z.string(),
  refresh_token: z.string().optional(),
})
const Person = z.looseObject({ code: z.literal(0), data: z.looseObject({ union_id: z.string() }) })
const Failure = z.looseObject({ code: z.number() })

export function feishuLogin(config: Config['feishu']): LoginProvider {
  const { app_id: client_id, app_secret: client_secret } = config
  const token = async (body: object): Promise<Verified> => {
    const tokens = Tokens.parse(
      await asked(`${config.api_url}/open-apis/authen/v2/oauth/token`, {
        method: 'POST',
        headers: { 'content-type': 'application/json; charset=utf-8' },
        body: JSON.stringify({ client_id, client_secret, ...body }),
      }),
    )
    const authorization = `Bearer ${tokens.access_token}`
    const { data } = Person.parse(
      await asked(`${config.api_url}/open-apis/authen/v1/user_info`, { headers: { authorization } }),
    )
    // The company gives this address, and nobody else has it.
    const email = data.enterprise_email || undefined
    const claims = { ...data, sub: data.union_id, email, email_verified: email !== undefined }
    return { subject: data.union_id, claims, refreshToken: tokens.refresh_token }
  }
  return {
    name: 'feishu',
    label: config.label,
    issuer: 'feishu',
    rules: rulesFrom({ ...NO_GROUPS, ...config, join_claim: 'union_id' }, 'oidc'),
    page: {
      async address(redirect_uri, { state }) {
        const query = { client_id, redirect_uri, response_type: 'code', state, scope: 'offline_access' }
        return `${config.accounts_url}/open-apis/authen/v1/authorize?${new URLSearchParams(query)}`
      },
      async arrive(callback, redirect_uri, { state }) {
        const { searchParams } = callback
        const code = searchParams.get('code')
        if (searchParams.get('state') !== state) throw new Error('the answer is to another sign-in')
        if (!code) throw new ProviderRefused(searchParams.get('error') ?? 'the person did not agree')
        return token({ grant_type: 'authorization_code', code, redirect_uri })
      },
    },
    again: {
      needsToken: true,
      async ask({ subject, refreshToken }) {
        const verified = await token({ grant_type: 'refresh_token', refresh_token: refreshToken })
        if (verified.subject !== subject) throw new Error('the provider answered for somebody else')
        return verified
      },
    },
  }
}

const NO_GROUPS = {
  groups_claim: '',
  allowed_groups: [],
  admin_groups: [],
  billing_groups: [],
  auditor_groups: [],
  department_claim: '',
}

async function asked(url: string, init: RequestInit): Promise<unknown> {
  let answer: unknown
  try {
    const response = await fetch(url, {
      ...init,
      redirect: 'manual',
      signal: AbortSignal.timeout(TIMEOUT_MS),
    })
    answer = await response.json()
  } catch (cause) {
    throw new ProviderUnavailable(String(cause), { cause })
  }
  const { code } = Failure.parse(answer)
  if (DENIALS.includes(code)) throw new ProviderRefused(`Feishu says ${code}`)
  if (code !== 0) throw new ProviderUnavailable(`Feishu says ${code}`)
  return answer
}
