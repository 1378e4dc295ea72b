// biome-ignore-all lint/suspicious/noTemplateCurlyInString: that is how configuration refers to variables
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { stringify } from 'yaml'
import { ConfigError } from '../../../config/error.ts'
import { BACKEND, errorOf, load, MINIMAL, pathsOf, problemsOf, SECRET } from './settings.ts'

describe('a file', () => {
  test.each([
    ['is empty', '', 'test.yaml: settings are expected, as "name: value" lines'],
    ['is only a comment', '# hello', 'test.yaml: settings are expected, as "name: value" lines'],
    ['is a list', '- a', 'test.yaml: settings are expected, as "name: value" lines'],
    ['is a text', 'hello', 'test.yaml: settings are expected, as "name: value" lines'],
    ['is larger than 1 MiB', `#${'x'.repeat(1024 * 1024)}`, 'test.yaml: at most 1 MiB is expected'],
    [
      'gives a name twice',
      'server:\n  port: 1\n  port: 2\n',
      'test.yaml: line 3, column 3: port is given twice, once is expected',
    ],
    ['is not YAML', 'a: "b\n', 'test.yaml: line 2, column 1: valid YAML is expected (MISSING_CHAR)'],
    [
      'holds two documents',
      'a: 1\n---\nb: 2',
      'test.yaml: line 2, column 1: valid YAML is expected (MULTIPLE_DOCS)',
    ],
  ])('that %s is refused in one line', (_what, text, message) => {
    expect(errorOf(text).message).toBe(message)
  })

  test('cannot make much of little by aliases', () => {
    const lines = Array.from({ length: 9 }, (_, i) => `l${i + 1}: &l${i + 1} [${`*l${i},`.repeat(9)}]`)
    expect(errorOf(`l0: &l0 [lol]\n${lines.join('\n')}`).message).toBe(
      'test.yaml: fewer aliases are expected',
    )
  })

  test('may be nested as deeply as it likes without more than being refused', () => {
    for (const depth of [50, 500, 100_000]) errorOf(`a: ${'['.repeat(depth)}${']'.repeat(depth)}`)
    errorOf({ ...MINIMAL, server: { port: JSON.parse(`${'['.repeat(400)}${']'.repeat(400)}`) } })
  })

  test('does not reach the prototypes of things', () => {
    expect(pathsOf(`${stringify(MINIMAL)}__proto__: { port: 1 }\n`)).toEqual(['__proto__'])
    expect(pathsOf({ ...MINIMAL, server: { constructor: 1 } })).toEqual(['server.constructor'])
    expect(pathsOf({ ...MINIMAL, log: { level: '${constructor}' } })).toEqual(['log.level'])
    expect(Object.hasOwn(Object.prototype, 'port')).toBe(false)
  })

  test('cannot break a line of the message, or colour it', () => {
    const { message } = errorOf({ ...MINIMAL, 'a\nb\u001b[31m\u2028': 1 })
    expect(message).toBe('test.yaml: a?b?[31m?: this setting is unknown')
  })
})

describe('a reference', () => {
  test('to a variable is replaced by it, anywhere in a text and once', () => {
    const env = { NAME: 'eu', KEY: 'sk-$' + '{NAME}-$&-1' }
    const backend = { ...BACKEND, name: 'claude-${NAME}', models: ['${NAME}-*', '$${NAME}'] }
    const [loaded] = load({ ...MINIMAL, backends: [backend] }, { env }).backends
    expect(loaded).toMatchObject({ name: 'claude-eu', models: ['eu-*', '${NAME}'] })
  })

  test('to a file is replaced by its text without the last line break', () => {
    const files = { '/run/key': 'sk-from-file\n', '/run/session': `${SECRET}\r\n` }
    const settings = {
      auth: { session_secret: '${file:/run/session}' },
      backends: [{ ...BACKEND, api_key: '${file:/run/key}' }],
    }
    const config = load(settings, { files })
    expect([config.backends[0]?.api_key, config.auth.session_secret]).toEqual(['sk-from-file', [SECRET]])
  })

  test.each([
    ['${MISSING}', 'the environment variable MISSING is not set'],
    ['a${MISSING}b', 'the environment variable MISSING is not set'],
    ['${file:/missing}', 'the file /missing cannot be read'],
    ['${}', 'a variable or file:/path is expected between braces; write $${ to mean the signs'],
    ['${a b}', 'a variable or file:/path is expected between braces; write $${ to mean the signs'],
    ['${MISSING', 'a variable or file:/path is expected between braces; write $${ to mean the signs'],
  ])('%s is refused, once and by its path', (text, message) => {
    expect(problemsOf({ ...MINIMAL, auth: { session_secret: text } })).toEqual([
      { path: 'auth.session_secret', message },
    ])
    expect(problemsOf({ ...MINIMAL, server: { port: text } })).toEqual([{ path: 'server.port', message }])
  })

  test('that fails does not hide other problems', () => {
    expect(pathsOf({ ...MINIMAL, log: { level: '${MISSING}' }, server: { port: -1 } })).toEqual([
      'log.level',
      'server.port',
    ])
  })

  test('stands for a number, a switch or a duration where one is expected', () => {
    const env = { PORT: '9000', WAIT: '45', CLOSED: 'true', BUDGET: '12.5', WEIGHT: '3' }
    const config = load(
      {
        ...MINIMAL,
        server: { port: '${PORT}' },
        limits: { fail_closed: '${CLOSED}', default_budget_usd: '${BUDGET}' },
        health: { cooldown: '${WAIT}' },
        backends: [{ ...BACKEND, weight: '${WEIGHT}' }],
      },
      { env },
    )
    expect(config).toMatchObject({
      server: { port: 9000 },
      limits: { fail_closed: true, default_budget_usd: 12.5 },
      health: { cooldown: 45_000 },
      backends: [{ weight: 3 }],
    })
  })

  test('stays a text where one is expected, even if it looks like a number or a switch', () => {
    const env = { DIGITS: '12345678', TRUE: 'true' }
    const config = load(
      {
        auth: { session_secret: SECRET, admin_itcode: '${DIGITS}', invite_code: '${TRUE}' },
        backends: [{ ...BACKEND, api_key: '${DIGITS}' }],
      },
      { env },
    )
    expect(config.auth).toMatchObject({ admin_itcode: '12345678', invite_code: 'true' })
    expect(config.backends[0]?.api_key).toBe('12345678')
  })

  test('that is no number is refused where one is expected', () => {
    for (const PORT of ['http', '', '1e3', '0x50', '70000']) {
      expect(pathsOf({ ...MINIMAL, server: { port: '${PORT}' } }, { env: { PORT } })).toEqual(['server.port'])
    }
  })
})

describe('whatever the text', () => {
  const onlyConfigErrors = (text: string) => {
    try {
      load(text, { env: { HOME: '/root' } })
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error
      expect(error.message).toMatch(/^test\.yaml: /)
      expect(error.message.split('\n')).toHaveLength(error.problems.length)
    }
  }

  test('loading throws nothing but ConfigError', () => {
    fc.assert(fc.property(fc.string({ unit: 'binary', maxLength: 200 }), onlyConfigErrors))
    const yamlish = fc.stringMatching(/^[\n :&*!|>%@`"'#[\]{}a-c0-9$<?,~.-]{0,80}$/)
    fc.assert(fc.property(yamlish, onlyConfigErrors), { numRuns: 1_000 })
  })

  test('loading throws nothing but ConfigError for any JSON, alone or in place of a section', () => {
    fc.assert(fc.property(fc.json(), onlyConfigErrors))
    const section = fc.constantFrom('server', 'auth', 'limits', 'backends', 'pricing', 'model_replacements')
    fc.assert(
      fc.property(section, fc.jsonValue(), (name, value) =>
        onlyConfigErrors(JSON.stringify({ ...MINIMAL, [name]: value })),
      ),
      { numRuns: 500 },
    )
  })
})
