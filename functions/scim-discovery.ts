/** What this SCIM service can do, as directories ask for it: https://www.rfc-editor.org/rfc/rfc7644#section-4 */
import * as z from 'zod'
import { nothingHere } from '../core/errors.ts'
import { ENTERPRISE_SCHEMA, GROUP_SCHEMA, USER_SCHEMA } from '../core/scim/names.ts'
import { route } from './route.ts'

const LIST_SCHEMA = 'urn:ietf:params:scim:api:messages:2.0:ListResponse'
/** The most resources of one page. */
export const MOST_RESULTS = 200

interface Attribute {
  name: string
  type: string
  subAttributes?: Attribute[]
  [key: string]: unknown
}

function attribute(name: string, more: Partial<Attribute> = {}): Attribute {
  return {
    name,
    type: 'string',
    multiValued: false,
    description: name,
    required: false,
    caseExact: false,
    mutability: 'readWrite',
    returned: 'default',
    uniqueness: 'none',
    ...more,
  }
}
const complex = (name: string, parts: Attribute[], more: Partial<Attribute> = {}) =>
  attribute(name, { type: 'complex', subAttributes: parts, ...more })
const texts = (...names: string[]) => names.map((name) => attribute(name))
const VALUES = [...texts('value', 'display', 'type'), attribute('primary', { type: 'boolean' })]
const several = (name: string, parts = VALUES) => complex(name, parts, { multiValued: true })

const USER = [
  attribute('userName', { required: true, uniqueness: 'server' }),
  attribute('externalId', { caseExact: true }),
  complex(
    'name',
    texts('formatted', 'familyName', 'givenName', 'middleName', 'honorificPrefix', 'honorificSuffix'),
  ),
  ...texts(
    'displayName',
    'nickName',
    'profileUrl',
    'title',
    'userType',
    'preferredLanguage',
    'locale',
    'timezone',
  ),
  attribute('active', { type: 'boolean' }),
  several('emails'),
  several('phoneNumbers'),
  several('ims'),
  several('roles'),
  several('addresses', [
    ...texts('formatted', 'streetAddress', 'locality', 'region', 'postalCode', 'country', 'type'),
    attribute('primary', { type: 'boolean' }),
  ]),
]
const ENTERPRISE = [
  ...texts('employeeNumber', 'costCenter', 'organization', 'division', 'department'),
  complex('manager', texts('value', '$ref', 'displayName')),
]
const GROUP = [
  attribute('displayName', { required: true, uniqueness: 'server' }),
  attribute('externalId', { caseExact: true }),
  several('members', texts('value', '$ref', 'display', 'type')),
]

const meta = (resourceType: string, place: string) => ({
  meta: { resourceType, location: `/scim/v2/${place}` },
})
const schema = (id: string, name: string, attributes: Attribute[]) => ({
  schemas: ['urn:ietf:params:scim:schemas:core:2.0:Schema'],
  id,
  name,
  description: name,
  attributes,
  ...meta('Schema', `Schemas/${id}`),
})
const SCHEMAS = [
  schema(USER_SCHEMA, 'User', USER),
  schema(ENTERPRISE_SCHEMA, 'EnterpriseUser', ENTERPRISE),
  schema(GROUP_SCHEMA, 'Group', GROUP),
]
const type = (id: string, name: string, more: object = {}) => ({
  schemas: ['urn:ietf:params:scim:schemas:core:2.0:ResourceType'],
  id: name,
  name,
  endpoint: `/${name}s`,
  description: name,
  schema: id,
  ...more,
  ...meta('ResourceType', `ResourceTypes/${name}`),
})
const TYPES = [
  type(USER_SCHEMA, 'User', { schemaExtensions: [{ schema: ENTERPRISE_SCHEMA, required: false }] }),
  type(GROUP_SCHEMA, 'Group'),
]
const CONFIG = {
  schemas: ['urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig'],
  patch: { supported: true },
  bulk: { supported: false, maxOperations: 0, maxPayloadSize: 0 },
  filter: { supported: true, maxResults: MOST_RESULTS },
  changePassword: { supported: false },
  sort: { supported: false },
  etag: { supported: false },
  authenticationSchemes: [
    {
      type: 'oauthbearertoken',
      name: 'Admin key',
      description: 'An admin key of the scope scim as bearer token.',
      primary: true,
    },
  ],
  ...meta('ServiceProviderConfig', 'ServiceProviderConfig'),
}

const Resource = z.looseObject({ schemas: z.array(z.string()) })
const Listed = z.strictObject({
  schemas: z.array(z.string()),
  totalResults: z.int(),
  startIndex: z.int(),
  itemsPerPage: z.int(),
  Resources: z.array(Resource),
})
const common = { method: 'GET', tier: 'admin-key', scope: 'scim', dialect: 'scim' } as const

export function listOf(resources: z.output<typeof Resource>[], total = resources.length, startIndex = 1) {
  const page = { totalResults: total, startIndex, itemsPerPage: resources.length }
  return { schemas: [LIST_SCHEMA], ...page, Resources: resources }
}

export const scimDiscovery = [
  route({
    ...common,
    path: '/scim/v2/ServiceProviderConfig',
    summary: 'What this SCIM service can do.',
    reply: Resource,
    handle: () => CONFIG,
  }),
  route({
    ...common,
    path: '/scim/v2/ResourceTypes',
    summary: 'Kinds of resources: users and groups.',
    reply: Listed,
    handle: () => listOf(TYPES),
  }),
  route({
    ...common,
    path: '/scim/v2/ResourceTypes/:id',
    summary: 'One kind of resources.',
    reply: Resource,
    handle: ({ params }) => oneOf(TYPES, params.id),
  }),
  route({
    ...common,
    path: '/scim/v2/Schemas',
    summary: 'Attributes of users and groups.',
    reply: Listed,
    handle: () => listOf(SCHEMAS),
  }),
  route({
    ...common,
    path: '/scim/v2/Schemas/:id',
    summary: 'Attributes of one schema.',
    reply: Resource,
    handle: ({ params }) => oneOf(SCHEMAS, params.id),
  }),
]

function oneOf<T extends { id: string }>(all: readonly T[], id: string): T {
  const found = all.find((one) => one.id.toLowerCase() === id.toLowerCase())
  if (!found) throw nothingHere()
  return found
}
