/** Texts by key, in the language of the browser or the one that was chosen. A missing or unknown key does not compile. */
import type { Messages } from './messages.ts'

export type Key = keyof Messages
export const LOCALES = { 'zh-CN': '简体中文', en: 'English' } as const
export type Locale = keyof typeof LOCALES
export const LOCALE_NAMES = ['zh-CN', 'en'] as const satisfies readonly Locale[]

/** A reader loads one language. */
const LOADERS: Record<Locale, () => Promise<Messages>> = {
  en: async () => (await import('./en.ts')).en,
  'zh-CN': async () => (await import('./zh-CN.ts')).zhCN,
}
const STORED = 'locale'

function firstChoice(): Locale {
  const stored = localStorage.getItem(STORED)
  if (stored === 'en' || stored === 'zh-CN') return stored
  return navigator.languages.find((language) => /^(zh|en)\b/.test(language))?.startsWith('zh')
    ? 'zh-CN'
    : 'en'
}

let current = $state<Locale>(firstChoice())
let texts = $state.raw<Messages>()

/** Has to come before the first text. */
export async function loadTexts(locale: Locale = current): Promise<void> {
  texts = await LOADERS[locale]()
  current = locale
  document.documentElement.lang = locale
}

export const i18n = {
  get locale() {
    return current
  },
  set locale(locale: Locale) {
    localStorage.setItem(STORED, locale)
    void loadTexts(locale)
  },
}

/** Whether there is a text of this key, which came from elsewhere. */
export const has = (key: string): key is Key => texts !== undefined && Object.hasOwn(texts, key)

/** The text of a key, its {parameters} filled in; `n` chooses between one and many. */
export function t(key: Key, parameters: Record<string, string | number> = {}): string {
  const found: Messages[Key] = texts?.[key] ?? key
  const isOne = () => new Intl.PluralRules(current).select(Number(parameters.n)) === 'one'
  const text = typeof found === 'string' ? found : isOne() ? (found.one ?? found.other) : found.other
  return text.replace(/\{(\w+)\}/g, (whole, name: string) => {
    const value = parameters[name]
    return value === undefined ? whole : typeof value === 'number' ? value.toLocaleString(current) : value
  })
}
