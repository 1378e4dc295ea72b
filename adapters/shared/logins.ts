/** The company's own sign-in, as the configuration names it. */
import { ConfigError } from '../../config/error.ts'
import type { Config } from '../../config/schema.ts'
import type { LoginProvider } from '../../core/identity/provider.ts'
import type { Clock } from '../../core/ports.ts'
import { feishuLogin } from '../drivers/login/feishu.ts'
import { oidcLogin } from '../drivers/login/oidc.ts'

/** `openLdap` is absent on runtimes that cannot speak LDAP. Throws ConfigError where one is configured there. */
export function loginsFrom(
  { oidc, ldap, feishu }: Config,
  { elapsed }: Pick<Clock, 'elapsed'>,
  openLdap?: (config: Config['ldap']) => LoginProvider,
): LoginProvider[] {
  const providers = oidc.providers.map((provider) => oidcLogin(provider, elapsed))
  if (feishu.app_id !== '') providers.push(feishuLogin(feishu))
  if (ldap.url === '') return providers
  if (!openLdap) throw new ConfigError('', [{ path: 'ldap.url', message: 'LDAP is spoken on Node only' }])
  return [...providers, openLdap(ldap)]
}
