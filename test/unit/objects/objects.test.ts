import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { NamedObject } from '../../../core/calls/named.ts'
import type { ObjectKind } from '../../../core/db/objects.ts'
import { createMadeReader } from '../../../core/objects/made.ts'
import { bindingOf, keyOf, type Owner } from '../../../core/objects/owner.ts'
import { messageJson, sse } from '../../support/upstream.ts'

const ANN = 1
const BEN = 2
const encoder = new TextEncoder()
const named = (kind: ObjectKind, id: string): NamedObject => ({ kind, id, path: `${kind}.path` })
const known = new Map<string, Owner>(
  [
    [named('container', 'c1'), { userId: ANN, backend: 'a' }] as const,
    [named('file', 'f1'), { userId: ANN, backend: 'a' }] as const,
    [named('file', 'f2'), { userId: ANN, backend: 'b' }] as const,
    [named('file', 'f3'), { userId: BEN, backend: 'b' }] as const,
    [named('message', 'm1'), { userId: ANN, backend: 'b' }] as const,
    [named('message', 'm2'), { userId: BEN, backend: 'b' }] as const,
  ].map(([object, owner]) => [keyOf(object), owner]),
)
const bind = (objects: NamedObject[], unknown: 'refuse' | 'pass' = 'refuse') =>
  bindingOf(objects, known, ANN, unknown)

describe('a call that names objects', () => {
  test('goes where they are', () => {
    const binding = bind([named('container', 'c1'), named('file', 'f1')])
    expect(binding).toEqual({ boundTo: 'a', steersTo: undefined })
  })

  test.each(['refuse', 'pass'] as const)("never reaches somebody else's (%s)", (unknown) => {
    expect(() => bind([named('file', 'f3')], unknown)).toThrow(
      'file.path: there is no file of yours with this id here.',
    )
  })

  test('is refused for what nobody is known to own, in the same words, unless that may pass', () => {
    const problem = 'file.path: there is no file of yours with this id here.'
    expect(() => bind([named('container', 'c1'), named('file', 'new')])).toThrow(problem)
    const passed = bind([named('container', 'c1'), named('file', 'new')], 'pass')
    expect(passed).toEqual({ boundTo: 'a', steersTo: undefined })
    expect(bind([named('file', 'new')], 'pass').boundTo).toBeUndefined()
  })

  test('is refused when they are in two accounts', () => {
    expect(() => bind([named('file', 'f1'), named('file', 'f2')])).toThrow(/^file.path: .*another account/)
  })

  test('is steered by its own message, and by no other', () => {
    expect(bind([named('message', 'm1')])).toEqual({ boundTo: undefined, steersTo: 'b' })
    expect(bind([named('message', 'm2')])).toEqual({ boundTo: undefined, steersTo: undefined })
    expect(bind([named('message', 'new')])).toEqual({ boundTo: undefined, steersTo: undefined })
    expect(bind([named('container', 'c1'), named('message', 'm1')])).toEqual({ boundTo: 'a', steersTo: 'b' })
  })

  test('of one kind is not one of another', () => {
    expect(() => bind([named('skill', 'f1')])).toThrow('there is no skill of yours')
  })
})

const DAY_MS = 86_400_000
const makes = { thread: true, message: true }
const CONTAINER = { id: 'container_1', expires_at: '2026-11-26T00:00:00Z', skills: null }
const result = (type: string, ...files: string[]) => ({
  type,
  tool_use_id: 't',
  content: {
    type: `${type.replace('_tool', '')}`,
    stdout: '{"file_id":"in_output"}',
    content: files.map((file_id) => ({ type: 'code_execution_output', file_id })),
  },
})
const BLOCKS = [
  { type: 'text', text: 'look: {"type":"container_upload","file_id":"in_text"}' },
  { type: 'tool_use', id: 't', name: 'x', input: { type: 'container_upload', file_id: 'in_input' } },
  { type: 'mcp_tool_result', content: [{ type: 'container_upload', file_id: 'in_mcp' }] },
  result('code_execution_tool_result', 'file_1', 'file_2'),
  result('bash_code_execution_tool_result', 'file_2'),
  { type: 'container_upload', file_id: 'file_3' },
  { type: 'container_upload', file_id: '' },
]
const MADE = [
  { kind: 'file', id: 'file_1', expiresAt: null },
  { kind: 'file', id: 'file_2', expiresAt: null },
  { kind: 'file', id: 'file_3', expiresAt: null },
  { kind: 'container', id: 'container_1', expiresAt: Date.UTC(2026, 10, 27) },
  { kind: 'thread', id: 'msg_1', expiresAt: 30 * DAY_MS },
  { kind: 'message', id: 'msg_1', expiresAt: DAY_MS },
]

const STREAM = [
  sse({ type: 'message_start', message: { id: 'msg_1', container: null, content: [] } }),
  ...BLOCKS.flatMap((content_block, index) => [
    sse({ type: 'content_block_start', index, content_block }),
    sse({ type: 'content_block_stop', index }),
  ]),
  sse({ type: 'message_delta', delta: { stop_reason: 'end_turn', container: CONTAINER }, usage: {} }),
  sse({ type: 'message_stop' }),
].join('')
const WHOLE = JSON.stringify({
  ...JSON.parse(messageJson()),
  id: 'msg_1',
  container: CONTAINER,
  content: BLOCKS,
})

function madeBy(text: string, streamed: boolean, cuts: readonly number[] = []) {
  const reader = createMadeReader({ makes, createdAt: 0 }, streamed)
  const bytes = encoder.encode(text)
  const ends = [...cuts.map((cut) => cut % bytes.length).sort((a, b) => a - b), bytes.length]
  ends.forEach((end, i) => void reader?.write(bytes.subarray(ends[i - 1] ?? 0, end)))
  return reader?.made()
}

describe('an answer', () => {
  test.each([
    ['streamed', STREAM, true],
    ['whole', WHOLE, false],
    ['streamed without names of events', STREAM.replaceAll(/^event: .*\n/gm, ''), true],
  ])('tells what it made, however it is cut: %s', (_, text, streamed) => {
    expect(madeBy(text, streamed)).toEqual(MADE)
    fc.assert(
      fc.property(fc.array(fc.nat(), { maxLength: 8 }), (cuts) => {
        expect(madeBy(text, streamed, cuts)).toEqual(MADE)
      }),
      { numRuns: 50 },
    )
  })

  test('tells of a container that is there from its start', () => {
    const start = sse({ type: 'message_start', message: { id: 'msg_1', container: CONTAINER } })
    expect(madeBy(start, true)?.map(({ kind }) => kind)).toEqual(['container', 'thread', 'message'])
  })

  test('tells only what its request could make', () => {
    const of = (given: typeof makes | undefined) => {
      const reader = createMadeReader({ makes: given, createdAt: 0 }, false)
      reader?.write(encoder.encode(WHOLE))
      return reader?.made().map(({ kind }) => kind)
    }
    expect(of({ thread: false, message: false })).toEqual(['file', 'file', 'file', 'container'])
    expect(of(undefined)).toBeUndefined()
  })

  test.each([['nothing'], ['{"id":7,"container":"x","content":{}}'], ['{"container":{"id":""}}'], ['[]']])(
    'tells nothing when it is odd: %s',
    (text) => {
      expect(madeBy(text, false)).toEqual([])
      expect(madeBy(`data: ${text}\n\n`, true)).toEqual([])
    },
  )
})
