/** What blocks of content may be: texts, images, documents, thinking, calls. */
import * as z from 'zod'
import { blocksOf, first, listed, type Place, type Request, type Rule, withParts } from './rule.ts'

const DOCS = 'https://platform.claude.com/docs/en'
const IMAGE_TYPES = ['image/jpeg', 'image/png', 'image/gif', 'image/webp']
const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/
/** The first bytes of an image's type, as base64. */
const BEGINNINGS: readonly [RegExp, string][] = [
  [/^iVBORw0KGgo/, 'image/png'],
  [/^\/9j\//, 'image/jpeg'],
  [/^R0lGOD/, 'image/gif'],
  [/^UklGR.{7}RUJQ/, 'image/webp'],
]
const ID = /^[a-zA-Z0-9_-]+$/
const TOOL_NAME = /^[a-zA-Z0-9_-]{1,128}$/
const LONGEST_TITLE = 500
/** Blocks that only one role may say. */
const OF_USER = new Set(['image', 'document', 'tool_result', 'search_result'])
const OF_ASSISTANT = new Set(['tool_use', 'thinking', 'redacted_thinking', 'server_tool_use'])

const Source = z.looseObject({
  type: z.string(),
  media_type: z.string().optional(),
  data: z.string().optional(),
  url: z.string().optional(),
})

const everyBlock = (request: Request, broken: (place: Place) => string | false | undefined) =>
  first(blocksOf(request).map(broken))
const everyPart = (request: Request, broken: (place: Place) => string | false | undefined) =>
  first(withParts(blocksOf(request)).map(broken))

export const CONTENT_RULES: readonly Rule[] = [
  {
    rule: 'a text has more than white space',
    source: 'messages: text content blocks must contain non-whitespace text',
    broken: (request) =>
      everyPart(request, ({ block: { type, text } }) => type === 'text' && blank('messages', text)) ??
      first(listed(request.system).map(({ type, text }) => type === 'text' && blank('system', text))),
  },
  {
    rule: 'strings are whole: no half of a surrogate pair',
    source: 'The request body is not valid JSON: no low surrogate in string',
    broken: (request) =>
      isWhole(request) ? undefined : 'The request body is not valid JSON: no low surrogate in string',
  },
  {
    rule: 'the system prompt and system messages are texts',
    source: `${DOCS}/api/messages`,
    broken: (request) =>
      first([
        ...listed(request.system).map(
          ({ type }, i) => type !== 'text' && `system.${i}.type: Input should be 'text'`,
        ),
        ...blocksOf(request).map(
          ({ at, role, block: { type } }) =>
            role === 'system' &&
            !['text', 'tool_addition', 'tool_removal'].includes(type) &&
            `${at}.type: a system message has no ${type}`,
        ),
      ]),
  },
  {
    rule: 'images, documents and results are of the user; calls and thinking of the assistant',
    source: `${DOCS}/api/messages`,
    broken: (request) =>
      everyBlock(request, ({ at, role, block: { type } }) => {
        const isForeign = role === 'assistant' ? OF_USER.has(type) : role === 'user' && OF_ASSISTANT.has(type)
        return isForeign && `${at}: \`${type}\` blocks are not permitted in messages of the ${role}`
      }),
  },
  {
    rule: 'an image is a JPEG, PNG, GIF or WebP of its own kind in base64, at an https address or a file',
    source: `${DOCS}/build-with-claude/vision`,
    broken: (request) =>
      everyPart(
        request,
        ({ at, block }) => block.type === 'image' && badImage(`${at}.image.source`, block.source),
      ),
  },
  {
    rule: 'a document is a PDF in base64, a text, at an https address or a file; its title has at most 500 characters',
    source: `${DOCS}/build-with-claude/pdf-support`,
    broken: (request) =>
      everyPart(request, ({ at, block: { type, source, title } }) => {
        if (type !== 'document') return undefined
        if (typeof title === 'string' && (title === '' || title.length > LONGEST_TITLE))
          return `${at}.document.title: String should have 1 to ${LONGEST_TITLE} characters`
        return badDocument(`${at}.document.source`, source)
      }),
  },
  {
    rule: 'a call has an id and a name of letters, digits, _ and -, and an object as its input',
    source: `${DOCS}/agents-and-tools/tool-use/define-tools`,
    broken: (request) =>
      everyBlock(request, ({ at, block: { type, id, name, input, tool_use_id } }) => {
        if (type === 'tool_result')
          return (
            !ID.test(String(tool_use_id)) &&
            `${at}.tool_result.tool_use_id: String should match pattern '^[a-zA-Z0-9_-]+$'`
          )
        if (type !== 'tool_use') return undefined
        if (!ID.test(String(id))) return `${at}.tool_use.id: String should match pattern '^[a-zA-Z0-9_-]+$'`
        if (!TOOL_NAME.test(String(name)))
          return `${at}.tool_use.name: String should match pattern '^[a-zA-Z0-9_-]{1,128}$'`
        const isObject = typeof input === 'object' && input !== null && !Array.isArray(input)
        return !isObject && `${at}.tool_use.input: Input should be a valid dictionary`
      }),
  },
  {
    rule: 'a thinking block has its signature, and a redacted one its data',
    source: `${DOCS}/build-with-claude/thinking`,
    broken: (request) =>
      everyBlock(request, ({ at, block: { type, thinking, signature, data } }) => {
        if (type === 'thinking' && (typeof thinking !== 'string' || !isFilled(signature)))
          return `${at}.thinking.signature: Field required`
        return (
          type === 'redacted_thinking' && !isFilled(data) && `${at}.redacted_thinking.data: Field required`
        )
      }),
  },
  {
    rule: 'no message of the assistant ends with thinking',
    source: 'messages: The final block in an assistant message cannot be `thinking`.',
    broken: ({ messages }) =>
      first(
        messages.map(({ role, content }, i) => {
          const end = listed(content).at(-1)?.type
          const thinks = end === 'thinking' || end === 'redacted_thinking'
          const isOver = messages[i + 1]?.role !== 'assistant'
          return (
            role === 'assistant' &&
            thinks &&
            isOver &&
            `messages.${i}: The final block in an assistant message cannot be \`thinking\`.`
          )
        }),
      ),
  },
]

const isFilled = (value: unknown) => typeof value === 'string' && value !== ''

function blank(where: string, text: unknown): string | undefined {
  if (typeof text !== 'string') return `${where}: text content blocks must have a text`
  if (text === '') return `${where}: text content blocks must be non-empty`
  return /\S/.test(text) ? undefined : `${where}: text content blocks must contain non-whitespace text`
}

function isWhole(value: unknown): boolean {
  if (typeof value === 'string') return value.isWellFormed()
  if (typeof value !== 'object' || value === null) return true
  return Object.entries(value).every(([key, inner]) => key.isWellFormed() && isWhole(inner))
}

function badImage(at: string, given: unknown): string | undefined {
  const source = Source.safeParse(given).data
  if (source?.type === 'url') return badAddress(`${at}.url`, source.url)
  if (source?.type === 'file') return undefined
  if (source?.type !== 'base64') return `${at}: Input tag should be one of: 'base64', 'url', 'file'`
  const { media_type: type = '', data = '' } = source
  if (!IMAGE_TYPES.includes(type)) return `${at}.base64.media_type: Input should be ${IMAGE_TYPES.join(', ')}`
  if (data === '' || !BASE64.test(data)) return `${at}.base64.data: invalid base64 data`
  const real = BEGINNINGS.find(([beginning]) => beginning.test(data))?.[1]
  return real === undefined || real === type
    ? undefined
    : `${at}.base64.data: Image does not match the provided media type ${type}`
}

function badDocument(at: string, given: unknown): string | undefined {
  const source = Source.safeParse(given).data
  switch (source?.type) {
    case 'url':
      return badAddress(`${at}.url`, source.url)
    case 'file':
    case 'content':
      return undefined
    case 'base64':
      if (source.media_type !== 'application/pdf')
        return `${at}.base64.media_type: Input should be 'application/pdf'`
      return source.data && BASE64.test(source.data) ? undefined : `${at}.base64.data: invalid base64 data`
    case 'text':
      if (source.media_type !== 'text/plain') return `${at}.text.media_type: Input should be 'text/plain'`
      return isFilled(source.data) ? undefined : `${at}.text.data: the document is empty`
    default:
      return `${at}: Input tag should be one of: 'base64', 'text', 'content', 'url', 'file'`
  }
}

function badAddress(at: string, url: string | undefined): string | undefined {
  return url?.startsWith('https://') && URL.canParse(url)
    ? undefined
    : `${at}: Only HTTPS URLs are supported.`
}
