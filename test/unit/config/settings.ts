/** Settings for tests: a secret that passes, and a loader that answers instead of throwing. */
import { stringify } from 'yaml'
import { ConfigError, type ConfigProblem } from '../../../config/error.ts'
import { loadConfig } from '../../../config/load.ts'
import type { Config } from '../../../config/schema.ts'

export const SECRET = 'b7e1d0c4a96f42358e0d7a1c5f3b9e62d84a'
export const BACKEND = { name: 'claude', url: 'https://api.anthropic.com', api_key: 'sk-ant-test' }
export const MINIMAL = { auth: { session_secret: SECRET }, backends: [BACKEND] }

export interface Around {
  env?: Record<string, string>
  files?: Record<string, string>
}

export function load(settings: object | string, { env = {}, files = {} }: Around = {}): Config {
  return loadConfig({
    text: typeof settings === 'string' ? settings : stringify(settings),
    file: 'test.yaml',
    env,
    readFile(path) {
      const text = files[path]
      if (text === undefined) throw new Error('ENOENT')
      return text
    },
  })
}

export function errorOf(settings: object | string, around: Around = {}): ConfigError {
  try {
    load(settings, around)
  } catch (error) {
    if (error instanceof ConfigError) return error
    throw error
  }
  throw new Error('the configuration was accepted')
}

export const problemsOf = (settings: object | string, around: Around = {}): readonly ConfigProblem[] =>
  errorOf(settings, around).problems

export const pathsOf = (settings: object | string, around: Around = {}) =>
  problemsOf(settings, around).map(({ path }) => path)

type Path = readonly (string | number)[]

/** A copy of `value` in which `path` holds `leaf`. */
export function withLeaf(value: unknown, path: Path, leaf: unknown): object {
  const copy: object = structuredClone(Object(value))
  const parent = path.slice(0, -1).reduce<object>((node, key) => Object(Reflect.get(node, key)), copy)
  const last = path.at(-1)
  if (last === undefined) throw new Error('a path is needed')
  Reflect.set(parent, last, leaf)
  return copy
}

/** Every path at which there is no further object, and every object on the way. */
export function pathsIn(value: unknown, path: Path = []): { leaves: Path[]; objects: Path[] } {
  if (typeof value !== 'object' || value === null || Object.keys(value).length === 0) {
    return { leaves: [path], objects: [] }
  }
  const below = Object.entries(value).map(([key, item]) =>
    pathsIn(item, [...path, Array.isArray(value) ? Number(key) : key]),
  )
  return {
    leaves: below.flatMap(({ leaves }) => leaves),
    objects: [...(Array.isArray(value) ? [] : [path]), ...below.flatMap(({ objects }) => objects)],
  }
}
