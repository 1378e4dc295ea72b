/** Tools, the choice among them, and JSON schemas. */
import { isRecord } from '../../../../core/json/is-record.ts'
import { first, type Request, type Rule } from './rule.ts'

const DOCS = 'https://platform.claude.com/docs/en'
const TOOL_NAME = /^[a-zA-Z0-9_-]{1,128}$/
const PROPERTY = /^[a-zA-Z0-9_.-]{1,64}$/
const STRUCTURED = `${DOCS}/build-with-claude/structured-outputs#json-schema-limitations`

/** Keywords of structured output, and the formats it knows. */
const KEYWORDS = new Set([
  'type',
  'properties',
  'required',
  'additionalProperties',
  'items',
  'minItems',
  'enum',
  'const',
  'anyOf',
  'allOf',
  '$ref',
  '$defs',
  'definitions',
  'description',
  'title',
  'format',
  '$schema',
  '$id',
])
/** What a strict tool's schema may say besides. */
const OF_TOOLS = new Set([...KEYWORDS, 'default', 'pattern', '$comment'])
const FORMATS = new Set([
  'date-time',
  'time',
  'date',
  'duration',
  'email',
  'hostname',
  'uri',
  'ipv4',
  'ipv6',
  'uuid',
])
/** Looking around, the edges of words, and what was matched before. */
const UNKNOWN_PATTERN = /\(\?(?!:)|\\[bBk1-9]/
const LIMITS = { strict: 20, optional: 24, unions: 16 }

export const TOOL_RULES: readonly Rule[] = [
  {
    rule: 'a tool has a name of letters, digits, _ and -, which no other tool has',
    source: `${DOCS}/agents-and-tools/tool-use/define-tools`,
    broken: ({ tools }) => {
      const names = (tools ?? []).flatMap(({ name }) => (name === undefined ? [] : [name]))
      if (new Set(names).size < names.length) return 'tools: Tool names must be unique.'
      return first(
        (tools ?? []).map(
          ({ name, input_schema }, i) =>
            input_schema !== undefined &&
            !TOOL_NAME.test(String(name)) &&
            `tools.${i}.custom.name: String should match pattern '^[a-zA-Z0-9_-]{1,128}$'`,
        ),
      )
    },
  },
  {
    rule: "a tool's parameters are an object without a choice at the top, and its properties have plain names",
    source:
      'tools.0.custom.input_schema: input_schema does not support oneOf, allOf, or anyOf at the top level',
    broken: ({ tools }) =>
      first(
        (tools ?? []).map(
          ({ input_schema: schema }, i) =>
            schema !== undefined && badParameters(`tools.${i}.custom.input_schema`, schema),
        ),
      ),
  },
  {
    rule: 'a choice of tools names one of them',
    source: `${DOCS}/agents-and-tools/tool-use/define-tools#forcing-tool-use`,
    broken: ({ tools, tool_choice: choice }) => {
      if (!choice) return undefined
      if (!tools?.length) return 'tool_choice may only be specified while providing tools.'
      if (choice.type !== 'tool' || tools.some(({ name }) => name === choice.name)) return undefined
      return `Tool '${choice.name}' not found in provided tools`
    },
  },
  {
    rule: 'only some models take a forced choice of tools, and none while it thinks',
    source: `${DOCS}/build-with-claude/thinking`,
    broken: ({ tool_choice: choice, thinking }, { forcedTools }) => {
      if (choice?.type !== 'any' && choice?.type !== 'tool') return undefined
      if (!forcedTools) return `tool_choice.type: "${choice.type}" is not supported on this model`
      return thinking?.type === 'enabled' || thinking?.type === 'adaptive'
        ? 'Thinking may not be enabled when tool_choice forces tool use.'
        : undefined
    },
  },
  {
    rule: 'structured output has a schema of known keywords that ends somewhere, on models that know it',
    source: STRUCTURED,
    broken: (request, { structuredOutputs }) => {
      const format = request.output_config?.format
      if (!format) return undefined
      if (!structuredOutputs)
        return 'output_config.format: structured outputs are not supported on this model'
      return badSchema('output_config.format.schema', format.schema, KEYWORDS)
    },
  },
  {
    rule: 'a strict tool has a schema of known keywords that ends somewhere',
    source: `${DOCS}/agents-and-tools/tool-use/strict-tool-use`,
    broken: ({ tools }) =>
      first(
        (tools ?? []).map(
          ({ strict, input_schema: schema }, i) =>
            strict && badSchema(`tools.${i}.custom.input_schema`, schema, OF_TOOLS),
        ),
      ),
  },
  {
    rule: 'all strict schemas together have at most 24 optional properties and 16 of several types, in 20 tools',
    source: `${DOCS}/build-with-claude/structured-outputs#schema-complexity-limits`,
    broken: (request) => tooComplex(request),
  },
]

function badParameters(at: string, schema: unknown): string | undefined {
  if (!isRecord(schema) || schema.type !== 'object') return `${at}.type: Input should be 'object'`
  if (schema.anyOf !== undefined || schema.oneOf !== undefined || schema.allOf !== undefined)
    return `${at}: input_schema does not support oneOf, allOf, or anyOf at the top level`
  const names = isRecord(schema.properties) ? Object.keys(schema.properties) : []
  return names.every((name) => PROPERTY.test(name))
    ? undefined
    : `${at}.properties: Property keys should match pattern '^[a-zA-Z0-9_.-]{1,64}$'`
}

/** `open`: the references that lead here, because a schema may not contain itself. */
function badSchema(
  at: string,
  schema: unknown,
  known: ReadonlySet<string>,
  root: unknown = schema,
  open: readonly string[] = [],
): string | undefined {
  if (!isRecord(schema)) return `${at}: a schema is expected`
  const stray = Object.keys(schema).find((key) => !known.has(key))
  if (stray) return `${at}: For '${String(schema.type)}' type, property '${stray}' is not supported`
  if (typeof schema.$ref === 'string') {
    const { $ref } = schema
    if (!$ref.startsWith('#')) return `${at}: external $ref is not supported`
    if (open.includes($ref) || $ref === '#') return `${at}: Circular reference detected in schema definitions`
    const target = targetOf(root, $ref)
    return target === undefined
      ? `${at}: ${$ref} is not defined`
      : badSchema(at, target, known, root, [...open, $ref])
  }
  return (
    badKeywords(at, schema) ??
    first(innerOf(schema).map(([key, one]) => badSchema(`${at}.${key}`, one, known, root, open)))
  )
}

function badKeywords(at: string, schema: Record<string, unknown>): string | undefined {
  const { type, enum: choices, format, minItems, additionalProperties, anyOf, allOf } = schema
  const referring = Array.isArray(allOf) && allOf.some((one) => isRecord(one) && one.$ref !== undefined)
  if (referring) return `${at}: '$ref' is not supported in 'allOf'`
  if (typeof schema.pattern === 'string' && UNKNOWN_PATTERN.test(schema.pattern))
    return `${at}: pattern '${schema.pattern}' is not supported`
  const isPlain = (one: unknown) => typeof one !== 'object' || one === null
  if (choices !== undefined && !(Array.isArray(choices) && choices.every(isPlain)))
    return `${at}: enum has objects`
  if ('const' in schema && !isPlain(schema.const)) return `${at}: const is an object`
  if (format !== undefined && !FORMATS.has(String(format)))
    return `${at}: format '${format}' is not supported`
  if (minItems !== undefined && minItems !== 0 && minItems !== 1) return `${at}: minItems may be 0 or 1`
  if (type === 'object' && additionalProperties !== false)
    return `${at}: For 'object' type, 'additionalProperties' must be explicitly set to false`
  const says = [type, choices, anyOf, allOf].some((one) => one !== undefined) || 'const' in schema
  return says ? undefined : `${at}: Schema type is missing`
}

function innerOf(schema: Record<string, unknown>): [string, unknown][] {
  const named = ['properties', '$defs', 'definitions'].flatMap((key) =>
    isRecord(schema[key]) ? Object.entries(schema[key]) : [],
  )
  const listed = ['anyOf', 'allOf'].flatMap((key) => (Array.isArray(schema[key]) ? schema[key] : []))
  const items: [string, unknown][] = schema.items === undefined ? [] : [['items', schema.items]]
  return [...named, ...listed.map((one, i): [string, unknown] => [String(i), one]), ...items]
}

function targetOf(root: unknown, reference: string): unknown {
  const steps = reference
    .slice(2)
    .split('/')
    .map((step) => step.replaceAll('~1', '/').replaceAll('~0', '~'))
  return steps.reduce((node, step) => (isRecord(node) ? node[step] : undefined), root)
}

function tooComplex({ tools, output_config: config }: Request): string | undefined {
  const strict = (tools ?? []).filter((tool) => tool.strict)
  if (strict.length > LIMITS.strict) return `tools: at most ${LIMITS.strict} strict tools are supported`
  const total = { optional: 0, unions: 0 }
  const add = (schema: unknown) => {
    if (!isRecord(schema)) return
    const required = Array.isArray(schema.required) ? schema.required : []
    for (const [name, one] of Object.entries(isRecord(schema.properties) ? schema.properties : {})) {
      if (!required.includes(name)) total.optional += 1
      if (isRecord(one) && (one.anyOf !== undefined || Array.isArray(one.type))) total.unions += 1
    }
    for (const [, inner] of innerOf(schema)) add(inner)
  }
  for (const { input_schema: schema } of strict) add(schema)
  add(config?.format?.schema)
  if (total.optional > LIMITS.optional)
    return `Schemas contains too many optional parameters (${total.optional})`
  return total.unions > LIMITS.unions
    ? `Schemas contains too many parameters with union types (${total.unions} parameters with type arrays or anyOf)`
    : undefined
}
