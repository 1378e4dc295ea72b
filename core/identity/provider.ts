/** What core asks of the company's own sign-in. Drivers are in adapters/drivers/login. */

/** What a provider says about a person; names are its own. */
export type Claims = Readonly<Record<string, unknown>>

/** How the claims of a provider are read, as the operator says. Names of claims may be JSON pointers (RFC 6901). */
export interface ClaimRules {
  /** Where members of its groups are kept: the `source` of groups here. */
  source: 'oidc' | 'ldap'
  /** '' = it says nothing of groups. */
  groupsClaim: string
  /** Stands before its groups in the external ids of groups here. */
  groupsPrefix: string
  /** Only their members may sign in; empty = everybody. */
  allowedGroups: readonly string[]
  adminGroups: readonly string[]
  billingGroups: readonly string[]
  auditorGroups: readonly string[]
  /** The name of a billing group; '' = none. */
  departmentClaim: string
  /** What is equal to SCIM's externalId. */
  joinClaim: string
  /** Lower-case domains whose addresses are believed although the provider does not say that they were verified. */
  trustEmailOf: readonly string[]
  /** Whether somebody without an account gets one. */
  register: boolean
}

/** A person whom the provider vouches for. */
export interface Verified {
  /** Never given to another person at this issuer. */
  subject: string
  claims: Claims
  /** With which the provider is asked again; undefined where it gave none. */
  refreshToken: string | undefined
}

/** What binds a sign-in to the browser that began it. */
export interface SignInSecrets {
  state: string
  nonce: string
  /** Of PKCE (RFC 7636). */
  verifier: string
}

export interface LoginProvider {
  /** In addresses, e.g. okta. */
  name: string
  /** On the button. */
  label: string
  /** Names the provider in `identities`; no two have the same. */
  issuer: string
  rules: ClaimRules
  /** Absent where people do not go to a page of the provider's. */
  page?: LoginPage
  /** Throws ProviderRefused for a wrong name or password; otherwise as `again`. Absent where none is entered here. */
  password?(name: string, password: string): Promise<Verified>
  /**
   * Asks about a person who signed in before. Throws ProviderRefused if they may not go on; anything else means that the
   * provider could not say. Absent where it cannot be asked without them.
   */
  again?: {
    needsToken: boolean
    ask(person: { subject: string; refreshToken: string | undefined }): Promise<Verified>
  }
}

interface LoginPage {
  /** The address to which the browser is sent. Throws ProviderUnavailable. */
  address(redirectUri: string, secrets: SignInSecrets): Promise<string>
  /**
   * Who came back to `callback`, an address that begins with the redirect URI. Throws ProviderRefused, or
   * ProviderUnavailable, or another error for an answer that does not belong to this sign-in.
   */
  arrive(callback: URL, redirectUri: string, secrets: SignInSecrets): Promise<Verified>
}

/** The provider says no: the person is unknown, gone, disabled, or did not agree. */
export class ProviderRefused extends Error {}

/** The provider cannot be asked, or does not know the gateway. */
export class ProviderUnavailable extends Error {}
