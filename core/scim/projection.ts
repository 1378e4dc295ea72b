/** `attributes` and `excludedAttributes`: what of a resource is answered. https://www.rfc-editor.org/rfc/rfc7644#section-3.9 */
import { isRecord } from '../json/is-record.ts'
import { segmentsOf } from './names.ts'

type Attributes = Readonly<Record<string, unknown>>

export interface Projection {
  attributes?: string | undefined
  excludedAttributes?: string | undefined
}

/** Always answered. */
const ALWAYS = ['id', 'schemas']

export function projected(resource: Attributes, { attributes, excludedAttributes }: Projection): Attributes {
  const wanted = pathsIn(attributes)
  if (wanted.length > 0) return only(resource, [...ALWAYS.map((name) => [name]), ...wanted])
  const excluded = pathsIn(excludedAttributes).filter(([name = '']) => !ALWAYS.includes(name))
  return without(resource, excluded)
}

/** Whether an attribute is answered, so that what nobody reads need not be looked for. */
export function answers({ attributes, excludedAttributes }: Projection, name: string): boolean {
  const isNamed = (list: string | undefined) => pathsIn(list).some(([first]) => first === name)
  return pathsIn(attributes).length > 0
    ? isNamed(attributes)
    : !pathsIn(excludedAttributes).some((path) => path.length === 1 && path[0] === name)
}

function pathsIn(list: string | undefined): string[][] {
  const names = (list ?? '').split(',').map((name) => name.trim())
  return names.filter((name) => name !== '').flatMap((name) => [segmentsOf(name) ?? [name]])
}

function only(from: Attributes, paths: readonly string[][]): Attributes {
  const heads = new Set(paths.map(([name = '']) => name))
  return Object.fromEntries(
    Object.entries(from)
      .filter(([name]) => heads.has(name))
      .map(([name, value]) => {
        const rest = paths.filter(([first]) => first === name).map(([, ...more]) => more)
        return [
          name,
          rest.some((more) => more.length === 0) ? value : inside(value, (one) => only(one, rest)),
        ]
      }),
  )
}

function without(from: Attributes, paths: readonly string[][]): Attributes {
  return Object.fromEntries(
    Object.entries(from).flatMap(([name, value]) => {
      const rest = paths.filter(([first]) => first === name).map(([, ...more]) => more)
      if (rest.length === 0) return [[name, value]]
      return rest.some((more) => more.length === 0)
        ? []
        : [[name, inside(value, (one) => without(one, rest))]]
    }),
  )
}

function inside(value: unknown, change: (one: Attributes) => Attributes): unknown {
  if (Array.isArray(value)) return value.map((each) => (isRecord(each) ? change(each) : each))
  return isRecord(value) ? change(value) : value
}
