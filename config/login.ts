/** Settings of the company's own sign-in: OIDC providers, and a directory by LDAP. */
import * as z from 'zod'
import { headerSecret, secret } from './secrets.ts'
import { section } from './section.ts'
import { duration, ldapAddress, ldapUrl, providerUrl } from './values.ts'

const NAME = /^[a-z0-9][a-z0-9-]{0,31}$/
const label = z.string().min(1).max(60)
const groups = z.array(z.string().min(1).max(256)).default([])
const domain = z
  .string()
  .min(1)
  .max(253)
  .transform((text) => text.replace(/^@/, '').toLowerCase())

/** What each way of the company's own sign-in says about who comes, and as what. */
const rules = {
  /** '' = it says nothing of groups. */
  groups_claim: z.string().max(256).default(''),
  /** Only their members may sign in; empty = everybody. */
  allowed_groups: groups,
  admin_groups: groups,
  billing_groups: groups,
  auditor_groups: groups,
  department_claim: z.string().max(256).default(''),
  /** What is equal to SCIM's externalId. */
  join_claim: z.string().max(256).default('sub'),
  /** Domains whose addresses are believed although the provider does not say that they were verified. */
  trust_email_of: z.array(domain).default([]),
  /** Whether somebody without an account gets one. */
  register: z.boolean().default(true),
}

const provider = z.strictObject({
  name: z
    .string()
    .regex(NAME, 'lower-case letters, digits and dashes are expected, 32 at most')
    .refine((name) => !['ldap', 'feishu'].includes(name), 'another name is expected'),
  label: label.optional(),
  issuer: providerUrl,
  client_id: z.string().min(1).max(512),
  client_secret: headerSecret.default(''),
  scopes: z.array(z.string().min(1)).default(['openid', 'profile', 'email', 'offline_access']),
  groups_from: z.enum(['id_token', 'userinfo']).default('id_token'),
  /** Stands before its groups in the external ids of groups here, so that nobody gets into those of another provider. */
  groups_prefix: z.string().max(64).default(''),
  ...rules,
})
export type OidcProvider = z.output<typeof provider>

export const oidc = section({
  /** How long people go on while their provider cannot be asked. */
  grace: duration.default(12 * 3_600_000),
  /** How long they go on without a sign-in where no refresh token is kept. */
  reverify: duration.default(30 * 86_400_000),
  providers: z
    .array(provider)
    .max(20)
    .default([])
    .superRefine((list, context) => {
      for (const field of ['name', 'issuer'] as const) {
        for (const [i, one] of list.entries()) {
          if (list.findIndex((other) => other[field] === one[field]) === i) continue
          const message = `each provider needs ${field === 'name' ? 'a name' : 'an issuer'} of its own`
          context.addIssue({ code: 'custom', path: [i, field], message })
        }
      }
    }),
})

const { groups_claim: _, join_claim: __, ...ldapRules } = rules
const attribute = z.string().regex(/^[A-Za-z][A-Za-z0-9;.-]*$/, 'the name of an attribute is expected')

export const ldap = section({
  /** '' = none. */
  url: ldapUrl.default(''),
  start_tls: z.boolean().default(false),
  label: label.default('LDAP'),
  bind_dn: z.string().max(1_000).default(''),
  bind_password: secret.default(''),
  base_dn: z.string().max(1_000).default(''),
  user_filter: z
    .string()
    .max(2_000)
    .regex(/^\(.*\{name\}.*\)$/, 'a filter in brackets with {name} is expected')
    .default('(uid={name})'),
  /** Never given to another person. */
  id_attribute: attribute.default('entryUUID'),
  name_attribute: attribute.default('cn'),
  email_attribute: attribute.default('mail'),
  /** '' = memberOf of the person says it. */
  group_filter: z
    .string()
    .max(2_000)
    .regex(/^(\(.*\{dn\}.*\))?$/, 'a filter in brackets with {dn} is expected')
    .default(''),
  group_base_dn: z.string().max(1_000).default(''),
  join_claim: z.string().max(256).default(''),
  ...ldapRules,
}).superRefine(({ url, start_tls, base_dn }, context) => {
  const fail = (path: string, message: string) => context.addIssue({ code: 'custom', path: [path], message })
  if (url === '') return
  if (base_dn === '') fail('base_dn', 'where people are looked for is expected, such as dc=example,dc=com')
  const address = ldapAddress(url)
  // What is wrong with the address itself is told with it.
  if (!address) return
  const { protocol, hostname } = address
  const isLocal = /^(127\.\d+\.\d+\.\d+|localhost|\[::1\])$/.test(hostname)
  if (protocol === 'ldap:' && !start_tls && !isLocal) {
    fail('url', 'ldaps:// or start_tls is expected outside this machine, because passwords are sent')
  }
})

export const feishu = section({
  /** '' = none. */
  app_id: z.string().max(512).default(''),
  app_secret: headerSecret.default(''),
  label: label.default('飞书'),
  accounts_url: providerUrl.default('https://accounts.feishu.cn'),
  api_url: providerUrl.default('https://open.feishu.cn'),
  trust_email_of: rules.trust_email_of,
  register: rules.register,
})
