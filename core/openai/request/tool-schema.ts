/** The parameters of a tool as Claude's `input_schema` (core/calls/PROTOCOL.md, Schemas). */
import { invalidField } from '../../errors.ts'
import { isJsonObject } from '../../json/exact.ts'
import type { Schema } from './schema-size.ts'

/** Claude's rule for names of properties at the top. */
const PROPERTY = /^[a-zA-Z0-9_.-]{1,64}$/
const COMBINED = ['anyOf', 'oneOf', 'allOf']

export interface InputSchema {
  schema: Schema & { type: 'object' }
  /** What the description has to say, because the schema cannot; '' for nothing. */
  said: string
}

/**
 * An object's schema, because Claude takes no choice between schemas at the top: their properties are put together, and the
 * choice is said in words. `warn` gets what was changed. Throws a Refusal invalid_input for names that Claude does not take.
 */
export function inputSchema(
  parameters: Schema | null | undefined,
  param: string,
  warn: (text: string) => void,
): InputSchema {
  const { schema, said } = flat(parameters ?? {}, param, warn)
  const properties = isJsonObject(schema.properties) ? schema.properties : {}
  const stray = Object.keys(properties).find((name) => !PROPERTY.test(name))
  if (stray !== undefined) {
    const why = 'letters, digits, _, . and -, at most 64, are expected in the name of a property'
    throw invalidField(`${param}.properties.${stray}`, why)
  }
  return { schema: { ...schema, properties, type: 'object' }, said }
}

function flat(
  parameters: Schema,
  param: string,
  warn: (text: string) => void,
): { schema: Schema; said: string } {
  const keys = COMBINED.filter((key) => parameters[key] !== undefined)
  if (keys.length === 0) return { schema: parameters, said: '' }
  const schema: Schema = { ...parameters }
  const properties: Schema = {}
  const required = new Set(strings(parameters.required))
  for (const key of keys) {
    warn(`${param}.${key}: said in the description`)
    delete schema[key]
    const parts = [parameters[key]].flat().filter(isJsonObject)
    for (const part of parts) if (isJsonObject(part.properties)) Object.assign(properties, part.properties)
    const needed = parts.map((part) => new Set(strings(part.required)))
    for (const name of new Set(needed.flatMap((names) => [...names])))
      if (key === 'allOf' || needed.every((names) => names.has(name))) required.add(name)
  }
  Object.assign(properties, isJsonObject(parameters.properties) ? parameters.properties : {})
  const said = keys.map((key) => `${key}: ${JSON.stringify(parameters[key])}`).join(', ')
  return { schema: { ...schema, properties, required: [...required] }, said: `{${said}}` }
}

function strings(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((one) => typeof one === 'string') : []
}
