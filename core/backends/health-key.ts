/** Under which keys health is kept: one for each account, one for each (backend, model). */

/** All models that neither a backend lists nor the price list knows: callers can invent any number of names. */
export const OTHER_MODEL = 'other'

/** A backend's name holds no space, so neither key can be read as the other. */
export function accountKey(backend: string): string {
  return backend
}

export function pairKey(backend: string, model: string): string {
  return `${backend} ${model}`
}

/** The backend and, for a pair, the model of a key. */
export function partsOf(key: string): { backend: string; model: string | undefined } {
  const space = key.indexOf(' ')
  return space < 0
    ? { backend: key, model: undefined }
    : { backend: key.slice(0, space), model: key.slice(space + 1) }
}
