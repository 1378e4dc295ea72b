/** The guides: files that are kept beside the code, in the languages that there are. */
import type { Key, Locale } from '../i18n/index.svelte.ts'
import { type Block, parseMarkdown } from './markdown.ts'

type Text = () => Promise<{ default: string }>
interface Guide {
  title: Key
  /** As other guides link to it. */
  file: string
  texts: { en: Text } & Partial<Record<Locale, Text>>
}

export const GUIDES = {
  users: {
    title: 'docs.guide.users',
    file: 'USING-CLAUDE-CODE.md',
    texts: {
      en: () => import('../../../../adapters/USING-CLAUDE-CODE.md?raw'),
      'zh-CN': () => import('../../../../adapters/USING-CLAUDE-CODE.zh-CN.md?raw'),
    },
  },
  administrators: {
    title: 'docs.guide.administrators',
    file: 'CLAUDE-CODE.md',
    texts: {
      en: () => import('../../../../adapters/CLAUDE-CODE.md?raw'),
      'zh-CN': () => import('../../../../adapters/CLAUDE-CODE.zh-CN.md?raw'),
    },
  },
  operators: {
    title: 'docs.guide.operators',
    file: 'OPERATION.md',
    texts: {
      en: () => import('../../../../adapters/OPERATION.md?raw'),
      'zh-CN': () => import('../../../../adapters/OPERATION.zh-CN.md?raw'),
    },
  },
  'other-models': {
    title: 'docs.guide.other_models',
    file: 'OTHER-MODELS.md',
    texts: {
      en: () => import('../../../../adapters/OTHER-MODELS.md?raw'),
      'zh-CN': () => import('../../../../adapters/OTHER-MODELS.zh-CN.md?raw'),
    },
  },
} as const satisfies Record<string, Guide>
export type GuideId = keyof typeof GUIDES
export const GUIDE_IDS = Object.keys(GUIDES) as GuideId[] // holds because GUIDES is a constant

export function isGuide(id: string): id is GuideId {
  return Object.hasOwn(GUIDES, id)
}

export interface LoadedGuide {
  id: GuideId
  blocks: Block[]
  locale: Locale
}

/** In the reader's language, or in English where there is no other text. */
export async function loadGuide(id: GuideId, locale: Locale): Promise<LoadedGuide> {
  const texts: Guide['texts'] = GUIDES[id].texts
  const own = texts[locale]
  const { default: text } = await (own ?? texts.en)()
  return { id, blocks: parseMarkdown(text), locale: own ? locale : 'en' }
}

/** Where a link of a guide leads; undefined where it is to a file that is no page here. */
export function hrefOf(link: string): string | undefined {
  if (/^(https:\/\/|#|\/)/.test(link)) return link
  const [file = '', anchor] = link.split('#')
  const id = GUIDE_IDS.find((one) => GUIDES[one].file === file)
  return id && `/docs/${id}${anchor ? `#${anchor}` : ''}`
}
