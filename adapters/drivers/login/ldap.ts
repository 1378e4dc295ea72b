/** A directory by LDAP: finds the person as a service account, then binds as them with the password that they entered. */
import type { Client, Entry } from 'ldapts'
import type { Config } from '../../../config/schema.ts'
import {
  type LoginProvider,
  ProviderRefused,
  ProviderUnavailable,
  type Verified,
} from '../../../core/identity/provider.ts'
import { rulesFrom } from './rules.ts'

type Settings = Config['ldap']

const TIMEOUT_MS = 10_000
/** Active Directory's ids are bytes. */
const BINARY = 'objectguid'

export function ldapLogin(config: Settings): LoginProvider {
  const { id_attribute: id } = config
  return {
    name: 'ldap',
    label: config.label,
    issuer: 'ldap',
    rules: rulesFrom({ ...config, groups_claim: 'groups' }, 'ldap'),
    async password(name, password) {
      // A bind without a password succeeds without proving anything: https://www.rfc-editor.org/rfc/rfc4513#section-5.1.2
      if (name === '' || password === '') throw new ProviderRefused('a name and a password are expected')
      const filter = config.user_filter.replaceAll('{name}', escaped(name))
      return asService(config, async (service) => {
        const entry = await findOne(service, config, filter)
        await bindAs(config, entry.dn, password)
        return verifiedFrom(service, config, entry)
      })
    },
    again: {
      needsToken: false,
      async ask({ subject }) {
        const isThem = `(${id}=${id.toLowerCase() === BINARY ? bytesIn(subject) : escaped(subject)})`
        // What else the filter asks, e.g. that an account is not disabled, must still hold.
        const filter = `(&${config.user_filter.replaceAll('{name}', '*')}${isThem})`
        return asService(config, async (service) => {
          return verifiedFrom(service, config, await findOne(service, config, filter))
        })
      },
    },
  }
}

/** The text for a filter: https://www.rfc-editor.org/rfc/rfc4515#section-3 */
function escaped(text: string): string {
  return text.replace(/[\\*()\0]/g, (sign) => `\\${sign.charCodeAt(0).toString(16).padStart(2, '0')}`)
}

function bytesIn(hex: string): string {
  return hex.replace(/../g, (byte) => `\\${byte}`)
}

/** Throws ProviderRefused as `use` does; for everything else that fails, ProviderUnavailable. */
async function asService<T>(config: Settings, use: (service: Client) => Promise<T>): Promise<T> {
  try {
    return await connected(config, async (client) => {
      if (config.bind_dn !== '') await client.bind(config.bind_dn, config.bind_password)
      return use(client)
    })
  } catch (cause) {
    if (cause instanceof ProviderRefused) throw cause
    throw new ProviderUnavailable(String(cause), { cause })
  }
}

async function connected<T>(config: Settings, use: (client: Client) => Promise<T>): Promise<T> {
  const { Client } = await import('ldapts')
  const client = new Client({ url: config.url, timeout: TIMEOUT_MS, connectTimeout: TIMEOUT_MS })
  try {
    if (config.start_tls) await client.startTLS({ servername: new URL(config.url).hostname })
    return await use(client)
  } finally {
    await client.unbind().catch(() => {})
  }
}

/** Throws ProviderRefused unless the directory takes the password. */
async function bindAs(config: Settings, dn: string, password: string): Promise<void> {
  await connected(config, async (client) => {
    try {
      await client.bind(dn, password)
    } catch (cause) {
      const { ResultCodeError } = await import('ldapts')
      // Also for accounts that are locked, or have to change their password.
      if (cause instanceof ResultCodeError) throw new ProviderRefused(cause.message, { cause })
      throw cause
    }
  })
}

async function findOne(service: Client, config: Settings, filter: string): Promise<Entry> {
  const { id_attribute, name_attribute, email_attribute, department_claim, join_claim } = config
  const attributes = [id_attribute, name_attribute, email_attribute, department_claim, join_claim, 'memberOf']
  const { searchEntries } = await service.search(config.base_dn, {
    scope: 'sub',
    filter,
    sizeLimit: 2,
    attributes: [...new Set(attributes.filter((name) => name !== ''))],
    explicitBufferAttributes: [id_attribute].filter((name) => name.toLowerCase() === BINARY),
  })
  const [entry] = searchEntries
  if (!entry || searchEntries.length > 1)
    throw new ProviderRefused(`${searchEntries.length} people are found`)
  return entry
}

async function verifiedFrom(service: Client, config: Settings, entry: Entry): Promise<Verified> {
  const subject = textOf(entry, config.id_attribute)
  if (subject === undefined) throw new Error(`the directory tells no ${config.id_attribute}`)
  const named = Object.keys(entry).flatMap((name) => {
    const text = textOf(entry, name)
    return text === undefined ? [] : [[name, text]]
  })
  return {
    subject,
    claims: {
      ...Object.fromEntries(named),
      name: textOf(entry, config.name_attribute),
      email: textOf(entry, config.email_attribute),
      groups: await groupsOf(service, config, entry),
    },
    refreshToken: undefined,
  }
}

/** The first value of an attribute; bytes as hex. */
function textOf(entry: Entry, name: string): string | undefined {
  const key = Object.keys(entry).find((one) => one.toLowerCase() === name.toLowerCase())
  const value = key === undefined ? undefined : [entry[key] ?? []].flat()[0]
  if (typeof value === 'object') return Buffer.from(value).toString('hex') || undefined
  return value ? String(value) : undefined
}

/** Names (DN) of the groups: by a search where one is configured, else as the entry says. */
async function groupsOf(service: Client, config: Settings, entry: Entry): Promise<string[]> {
  if (config.group_filter === '') {
    const key = Object.keys(entry).find((one) => one.toLowerCase() === 'memberof')
    return [key === undefined ? [] : (entry[key] ?? [])].flat().map(String)
  }
  const { searchEntries } = await service.search(config.group_base_dn || config.base_dn, {
    scope: 'sub',
    filter: config.group_filter.replaceAll('{dn}', escaped(entry.dn)),
    attributes: ['1.1'],
    paged: true,
  })
  return searchEntries.map(({ dn }) => dn)
}
