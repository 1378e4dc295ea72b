/** Marks of what is kept in the prompt cache. */
import { blocksOf, first, listed, type Place, type Request, type Rule, withParts } from './rule.ts'

const CACHING = 'https://platform.claude.com/docs/en/build-with-claude/prompt-caching'
const MOST_MARKS = 4

export const CACHE_RULES: readonly Rule[] = [
  {
    rule: 'at most four blocks are marked, of which an automatic mark is one',
    source: `${CACHING}#automatic-caching`,
    broken: (request) => {
      const found = marks(request).length + (needsSlot(request) ? 1 : 0)
      return found > MOST_MARKS
        ? `A maximum of ${MOST_MARKS} blocks with cache_control may be provided. Found ${found}.`
        : undefined
    },
  },
  {
    rule: 'no mark of an hour stands behind one of five minutes: first tools, then system, then messages',
    source: `${CACHING}#1-hour-cache-duration`,
    broken: (request) => {
      const lifetimes = marks(request).map(({ block }) => ttlOf(block.cache_control))
      if (request.cache_control) lifetimes.push(ttlOf(request.cache_control))
      const short = lifetimes.indexOf('5m')
      return short >= 0 && lifetimes.indexOf('1h', short) >= 0
        ? "cache_control.ttl: a ttl='1h' cache_control block must not come after a ttl='5m' cache_control block."
        : undefined
    },
  },
  {
    rule: 'an automatic mark and that of the last block have one lifetime',
    source: `${CACHING}#automatic-caching`,
    broken: (request) => {
      const last = lastMark(request)
      return request.cache_control && last && ttlOf(last) !== ttlOf(request.cache_control)
        ? 'cache_control: When both are specified on the same block, they must have matching TTLs'
        : undefined
    },
  },
  {
    rule: 'thinking is not marked',
    source: `${CACHING}#what-can-be-cached`,
    broken: (request) =>
      first(
        blocksOf(request).map(
          ({ at, block }) =>
            /thinking$/.test(block.type) &&
            block.cache_control &&
            `${at}.cache_control: Extra inputs are not permitted`,
        ),
      ),
  },
]

type Control = Request['cache_control']

const ttlOf = (control: Control) => control?.ttl ?? '5m'

/** Every mark in the order in which Claude reads a request. A result's parts stand before the result itself. */
function marks(request: Request): Pick<Place, 'block'>[] {
  const before = [...(request.tools ?? []), ...listed(request.system)].map((block) => ({
    block: { ...block, type: block.type ?? '' },
  }))
  const parts = blocksOf(request).flatMap((place) => {
    const [own, ...inner] = withParts([place])
    return own ? [...inner, own] : inner
  })
  return [...before, ...parts].filter(({ block }) => block.cache_control)
}

function lastMark(request: Request): Control {
  const last = blocksOf(request).at(-1)
  return last && withParts([last]).findLast(({ block }) => block.cache_control)?.block.cache_control
}

/** An automatic mark on a block that is marked alike costs nothing. */
function needsSlot(request: Request): boolean {
  return request.cache_control != null && lastMark(request) == null
}
