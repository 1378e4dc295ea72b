/** Schemas of the OpenAPI document as a reader takes them in: written like a type, and as an example. */
export type Schema = Readonly<Record<string, unknown>>
export type Schemas = Readonly<Record<string, Schema>>

const isSchema = (value: unknown): value is Schema =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
const schemaIn = (value: unknown): Schema => (isSchema(value) ? value : {})
const schemasIn = (value: unknown): Schema[] => (Array.isArray(value) ? value.filter(isSchema) : [])
const propertiesOf = (schema: Schema) =>
  Object.entries(schemaIn(schema.properties)).map(([name, one]) => [name, schemaIn(one)] as const)
const requiredIn = ({ required }: Schema): unknown[] => (Array.isArray(required) ? required : [])

/** The name of the shape that a reference leads to. */
function nameIn({ $ref }: Schema): string | undefined {
  return typeof $ref === 'string' ? $ref.split('/').at(-1) : undefined
}

/** Written like a type of TypeScript, with what is said of each field behind it. */
export function typeOf(schema: Schema, indent = ''): string {
  const name = nameIn(schema)
  if (name) return name
  if (Array.isArray(schema.enum)) return schema.enum.map((value) => JSON.stringify(value)).join(' | ')
  if ('const' in schema) return JSON.stringify(schema.const)
  const choices = schemasIn(schema.anyOf)
  if (choices.length > 0) return choices.map((choice) => typeOf(choice, indent)).join(' | ')
  if (schema.type === 'array') return `${typeOf(schemaIn(schema.items), indent)}[]`
  const properties = propertiesOf(schema)
  if (properties.length === 0) {
    const kind = [schema.type ?? 'any'].flat().join(' | ')
    return kind === 'object' ? '{ … }' : kind
  }
  const required = requiredIn(schema)
  const lines = properties.map(([field, one]) => {
    const about = typeof one.description === 'string' ? `  // ${one.description}` : ''
    return `${indent}  ${field}${required.includes(field) ? '' : '?'}: ${typeOf(one, `${indent}  `)}${about}`
  })
  return `{\n${lines.join('\n')}\n${indent}}`
}

/** The named shapes that a schema leads to, each once, in the order in which a reader meets them. */
export function shapesOf(schema: Schema, all: Schemas): string[] {
  const names = new Set<string>()
  const walk = (value: unknown) => {
    if (Array.isArray(value)) value.forEach(walk)
    if (!isSchema(value)) return
    const name = nameIn(value)
    if (name && !names.has(name)) {
      names.add(name)
      walk(all[name])
    }
    Object.values(value).forEach(walk)
  }
  walk(schema)
  return [...names]
}

/** Fields whose schema leaves open what they hold. */
const EXAMPLES: Readonly<Record<string, unknown>> = {
  model: 'claude-sonnet-5-5',
  max_tokens: 200,
  messages: [{ role: 'user', content: 'Hello!' }],
  input: 'Hello!',
}

/** A body with what is required, and with what a first call needs. */
export function exampleOf(schema: Schema, all: Schemas, depth = 0): unknown {
  const name = nameIn(schema)
  if (name) return depth > 4 ? {} : exampleOf(all[name] ?? {}, all, depth + 1)
  if (Array.isArray(schema.enum)) return schema.enum[0]
  if ('const' in schema) return schema.const
  const [choice] = schemasIn(schema.anyOf)
  if (choice) return exampleOf(choice, all, depth)
  switch ([schema.type].flat()[0]) {
    case 'array':
      return [exampleOf(schemaIn(schema.items), all, depth + 1)]
    case 'integer':
    case 'number':
      return 1
    case 'boolean':
      return true
    case 'object': {
      const required = requiredIn(schema)
      const wanted = propertiesOf(schema).filter(
        ([field]) => required.includes(field) || (depth <= 1 && Object.hasOwn(EXAMPLES, field)),
      )
      const fieldExample = (field: string, one: Schema) => EXAMPLES[field] ?? exampleOf(one, all, depth + 1)
      return Object.fromEntries(wanted.map(([field, one]) => [field, fieldExample(field, one)]))
    }
    default:
      return '…'
  }
}
