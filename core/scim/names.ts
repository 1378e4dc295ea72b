/** Names of SCIM: schemas, and attributes, whose case does not matter: https://www.rfc-editor.org/rfc/rfc7643#section-2.1 */

export const USER_SCHEMA = 'urn:ietf:params:scim:schemas:core:2.0:User'
export const GROUP_SCHEMA = 'urn:ietf:params:scim:schemas:core:2.0:Group'
export const ENTERPRISE_SCHEMA = 'urn:ietf:params:scim:schemas:extension:enterprise:2.0:User'

/** As RFC 7643 spells them. */
const NAMES =
  `active addresses costCenter country department display displayName division emails employeeNumber entitlements
  externalId familyName formatted givenName groups honorificPrefix honorificSuffix id ims locale locality manager members meta
  middleName name nickName organization password phoneNumbers photos postalCode preferredLanguage primary profileUrl $ref region
  roles schemas streetAddress timezone title type userName userType value x509Certificates`.split(/\s+/)
const SPELLINGS = new Map(
  [...NAMES, USER_SCHEMA, GROUP_SCHEMA, ENTERPRISE_SCHEMA].map((name) => [name.toLowerCase(), name]),
)

/** The RFC's spelling of a name, or the name itself where it has none. */
export function spelled(name: string): string {
  return SPELLINGS.get(name.toLowerCase()) ?? name
}

/** Whether a name may be one of an attribute or schema. */
export function isName(name: string): boolean {
  return /^(\$?[A-Za-z][\w-]{0,99}|urn:[\w.:-]{1,200})$/.test(name)
}

/**
 * The segments of an attribute's name: `name.givenName`, `urn:…:User:department`. The core schemas are left out, because their
 * attributes stand at the top. Undefined for what is no name.
 */
export function segmentsOf(text: string): string[] | undefined {
  const whole = spelled(text)
  if (whole === ENTERPRISE_SCHEMA) return [whole]
  const colon = text.toLowerCase().startsWith('urn:') ? text.lastIndexOf(':') : -1
  const schema = colon < 0 ? '' : spelled(text.slice(0, colon))
  const names = text
    .slice(colon + 1)
    .split('.')
    .map(spelled)
  const isCore = schema === '' || schema === USER_SCHEMA || schema === GROUP_SCHEMA
  const segments = isCore ? names : [schema, ...names]
  return segments.length <= 4 && segments.every(isName) ? segments : undefined
}
