/** The settings that most policies are about, as fields of a form over the document, whose other keys stay as they are. */

type Settings = Readonly<Record<string, unknown>>

export interface Usual {
  model: string
  minimumVersion: string
  cleanupPeriodDays: string
  /** Texts of a line each, as are all that follow. */
  availableModels: string
  companyAnnouncements: string
  allow: string
  ask: string
  deny: string
  /** NAME=value. */
  env: string
  enforceAvailableModels: boolean
  /** Nobody may switch permissions off. */
  noBypass: boolean
}

const LISTS = ['availableModels', 'companyAnnouncements'] as const
const RULES = ['allow', 'ask', 'deny'] as const
const BYPASS = 'disableBypassPermissionsMode'

export function usualOf(settings: Settings): Usual {
  const permissions = mapAt(settings, 'permissions')
  const env = Object.entries(mapAt(settings, 'env')).map(([name, value]) => `${name}=${String(value)}`)
  return {
    model: textAt(settings, 'model'),
    minimumVersion: textAt(settings, 'minimumVersion'),
    cleanupPeriodDays: textAt(settings, 'cleanupPeriodDays'),
    availableModels: linesAt(settings, 'availableModels'),
    companyAnnouncements: linesAt(settings, 'companyAnnouncements'),
    allow: linesAt(permissions, 'allow'),
    ask: linesAt(permissions, 'ask'),
    deny: linesAt(permissions, 'deny'),
    env: env.join('\n'),
    enforceAvailableModels: settings.enforceAvailableModels === true,
    noBypass: permissions[BYPASS] === 'disable',
  }
}

/** The document with these fields in it; an empty one is left out. */
export function withUsual(settings: Settings, usual: Usual): Settings {
  const permissions = { ...mapAt(settings, 'permissions') }
  for (const name of RULES) put(permissions, name, lines(usual[name]))
  put(permissions, BYPASS, usual.noBypass ? 'disable' : undefined)
  const next: Record<string, unknown> = { ...settings }
  put(next, 'model', usual.model.trim() || undefined)
  put(next, 'minimumVersion', usual.minimumVersion.trim() || undefined)
  const days = usual.cleanupPeriodDays.trim()
  put(next, 'cleanupPeriodDays', days === '' ? undefined : Number(days))
  for (const name of LISTS) put(next, name, lines(usual[name]))
  put(next, 'enforceAvailableModels', usual.enforceAvailableModels || undefined)
  put(next, 'permissions', Object.keys(permissions).length > 0 ? permissions : undefined)
  const env = (lines(usual.env) ?? []).map((line) => {
    const [name = '', ...value] = line.split('=')
    return [name.trim(), value.join('=')] as const
  })
  put(next, 'env', env.length > 0 ? Object.fromEntries(env) : undefined)
  return next
}

/** The document that a text is; undefined if it is none. */
export function documentIn(text: string): Settings | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return isMap(value) ? value : undefined
  } catch {
    return undefined
  }
}

function put(map: Record<string, unknown>, name: string, value: unknown) {
  if (value === undefined) delete map[name]
  else map[name] = value
}

function lines(text: string): string[] | undefined {
  const found = text.split('\n').flatMap((line) => line.trim() || [])
  return found.length > 0 ? found : undefined
}

function linesAt(map: Settings, name: string): string {
  const value = map[name]
  return Array.isArray(value) ? value.map(String).join('\n') : ''
}

function textAt(map: Settings, name: string): string {
  const value = map[name]
  return typeof value === 'string' || typeof value === 'number' ? String(value) : ''
}

function mapAt(map: Settings, name: string): Settings {
  const value = map[name]
  return isMap(value) ? value : {}
}

function isMap(value: unknown): value is Settings {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
