/** Checks resources by the schemas that Kubernetes publishes: every field known, the required ones there, types right. */
import { readFileSync } from 'node:fs'
import * as z from 'zod'
import { SWAGGER } from './install.ts'

const Schema = z.looseObject({
  $ref: z.string().optional(),
  type: z.string().optional(),
  format: z.string().optional(),
  properties: z.record(z.string(), z.unknown()).optional(),
  additionalProperties: z.unknown().optional(),
  items: z.unknown().optional(),
  required: z.array(z.string()).optional(),
})
const Swagger = z.object({ definitions: z.record(z.string(), Schema) })
const Kinds = z.array(z.object({ group: z.string(), version: z.string(), kind: z.string() }))
export const Resource = z.looseObject({
  apiVersion: z.string(),
  kind: z.string(),
  metadata: z.looseObject({ name: z.string() }),
})
export type Resource = z.infer<typeof Resource>

const { definitions } = Swagger.parse(JSON.parse(readFileSync(SWAGGER, 'utf8')))

/** What is wrong with a resource, each with its path. */
export function problemsOf(resource: Resource): string[] {
  const [version = '', group = ''] = resource.apiVersion.split('/').reverse()
  const schema = Object.values(definitions).find((one) => {
    const kinds = Kinds.safeParse(one['x-kubernetes-group-version-kind']).data ?? []
    return kinds.some(
      (kind) => kind.group === group && kind.version === version && kind.kind === resource.kind,
    )
  })
  if (!schema) return [`there is no ${resource.kind} in ${resource.apiVersion}`]
  return [...problemsAt(resource, schema, resource.kind)]
}

function* problemsAt(value: unknown, given: z.infer<typeof Schema>, path: string): Generator<string> {
  const schema = given.$ref ? Schema.parse(definitions[given.$ref.replace('#/definitions/', '')]) : given
  const { type, format, properties, additionalProperties, items, required = [] } = schema
  if (type === 'array' || Array.isArray(value)) {
    if (type !== 'array' || !Array.isArray(value)) return yield `${path}: ${type ?? 'an object'} is expected`
    for (const [at, item] of value.entries()) yield* problemsAt(item, Schema.parse(items), `${path}[${at}]`)
  } else if (typeof value === 'object' && value !== null) {
    for (const name of required) if (!(name in value)) yield `${path}.${name} is missing`
    for (const [name, field] of Object.entries(value)) {
      const known = properties?.[name] ?? additionalProperties
      if (known === undefined && properties) yield `${path}.${name} is unknown`
      else if (known !== undefined) yield* problemsAt(field, Schema.parse(known), `${path}.${name}`)
    }
  } else if (!isScalar(value, type, format))
    yield `${path}: ${type ?? 'an object'} is expected, not ${String(value)}`
}

function isScalar(value: unknown, type: string | undefined, format: string | undefined): boolean {
  if (format === 'int-or-string') return typeof value === 'string' || Number.isInteger(value)
  if (type === 'integer') return Number.isInteger(value)
  // A quantity is written as text or as a number.
  if (type === 'string') return typeof value === 'string' || typeof value === 'number'
  return typeof value === type
}
