/** A web search that Claude's side ran, among the output items. */

import { boundedJson } from '../../json/bounds.ts'
import { isRecord } from '../../json/is-record.ts'
import type { Emit, Item, Place } from './item.ts'

/** Its results are a list of pages, or an error. `tellsSources`: the request asks for the pages that were found. */
export function createSearchItem(emit: Emit, place: Place, tellsSources: boolean): Item {
  const pieces: string[] = []
  let results: unknown
  const pages = () =>
    (Array.isArray(results) ? results.filter(isRecord) : []).flatMap(({ url }) =>
      typeof url === 'string' ? [{ type: 'url', url }] : [],
    )
  const query = () => {
    const input = boundedJson(pieces.join(''))
    return isRecord(input) && typeof input.query === 'string' ? input.query : ''
  }
  return {
    found(content) {
      results = content
    },
    delta(delta) {
      if (delta.type === 'input_json_delta') pieces.push(delta.partial_json)
      return ''
    },
    blockEnds: () =>
      emit('response.web_search_call.in_progress', place) + emit('response.web_search_call.searching', place),
    end: () => emit('response.web_search_call.completed', place),
    status: () => (Array.isArray(results) ? undefined : 'failed'),
    view: () => ({
      type: 'web_search_call',
      action: { type: 'search', query: query(), ...(tellsSources ? { sources: pages() } : {}) },
    }),
  }
}
