/** What the playground sends, and the same call as a program. */
import { execFileSync } from 'node:child_process'
import { describe, expect, test } from 'vitest'
import { codeOf } from '../../../site/src/lib/playground/code.ts'
import { type Chosen, requestOf } from '../../../site/src/lib/playground/request.ts'

const ORIGIN = 'https://gateway.example.com'
const chosen: Chosen = { model: 'claude-sonnet-5-5', system: ' ', maxTokens: 1000, thinking: 'model' }
/** What would end a quotation of any language, and several lines. */
const NASTY = `it's "quoted" $HOME \`date\` \\n\n第二行 😀`

describe('a request', () => {
  test('has what was said before, without turns that came to nothing, and no empty system prompt', () => {
    const turns = [
      { question: 'one', answer: 'first ' },
      { question: 'two', answer: '' },
    ]
    expect(requestOf(chosen, turns, 'three')).toEqual({
      model: 'claude-sonnet-5-5',
      max_tokens: 1000,
      messages: [
        { role: 'user', content: 'one' },
        { role: 'assistant', content: 'first' },
        { role: 'user', content: 'three' },
      ],
    })
  })

  test.each([
    ['adaptive', 1000, 1000, { type: 'adaptive' }],
    ['disabled', 1000, 1000, { type: 'disabled' }],
    ['enabled', 1000, 1025, { type: 'enabled', budget_tokens: 1024 }],
    ['enabled', 9000, 9000, { type: 'enabled', budget_tokens: 4500 }],
  ] as const)('thinks %s of %d tokens', (thinking, maxTokens, max_tokens, expected) => {
    const asked = requestOf({ ...chosen, thinking, maxTokens }, [], 'hi')
    expect([asked.max_tokens, asked.thinking]).toEqual([max_tokens, expected])
  })
})

describe('code', () => {
  const asked = requestOf({ ...chosen, system: NASTY, thinking: 'adaptive' }, [], NASTY)

  test('for curl says the same to a shell', () => {
    const script = `curl() { printf '%s\\0' "$@"; }; GATEWAY_KEY=sk-1; ${codeOf('curl', asked, ORIGIN)}`
    const [url, , key, , , , body = ''] = execFileSync('sh', ['-c', script], { encoding: 'utf8' }).split('\0')
    expect([url, key, JSON.parse(body)]).toEqual([
      `${ORIGIN}/v1/messages`,
      'x-api-key: sk-1',
      { ...asked, stream: true },
    ])
  })

  test('for Python says the same to Python', () => {
    const call = /stream\(\n([\s\S]*)\n\) as stream/.exec(codeOf('python', asked, ORIGIN))?.[1] ?? ''
    const script = `import json, sys; print(json.dumps(eval("dict(" + sys.stdin.read() + ")")))`
    const said = execFileSync('python3', ['-c', script], { input: call, encoding: 'utf8' })
    expect(JSON.parse(said)).toEqual(asked)
  })

  test('for TypeScript says the same to a JavaScript engine', () => {
    const call = /stream\((\{[\s\S]*\})\)\nstream/.exec(codeOf('typescript', asked, ORIGIN))?.[1] ?? ''
    const script = `process.stdout.write(JSON.stringify(${call}))`
    const said = execFileSync(process.execPath, ['-e', script], { encoding: 'utf8' })
    expect(JSON.parse(said)).toEqual(asked)
  })
})
