/** The words of the audit in the reader's language, which only its page loads. */
import type { Locale } from '../i18n/index.svelte.ts'
import type { AuditWords } from './words.ts'

const LOADERS: Record<Locale, () => Promise<AuditWords>> = {
  en: async () => (await import('./en.ts')).en,
  'zh-CN': async () => (await import('./zh-CN.ts')).zhCN,
}
export const auditWords = (locale: Locale) => LOADERS[locale]()
