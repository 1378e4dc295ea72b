import { describe, expect, test } from 'vitest'
import { regionalModels } from '../../../config/backends.ts'
import { settingsFrom } from '../../../config/settings.ts'
import { BACKEND, load, MINIMAL, problemsOf } from './settings.ts'

const of = (backend: object) => ({ ...MINIMAL, backends: [{ name: 'a', ...backend }] })
const read = (backend: object) => settingsFrom(load(of(backend))).backends[0]
const MODELS = [{ id: 'claude-opus-5-5', upstream: 'us.anthropic.claude-opus-5-5' }]
const AWS = { region: 'us-east-1', api_key: 'sk-aws', models: MODELS }
const VERTEX = { type: 'vertex', project: 'p', credentials: 'platform', models: ['claude-opus-5-5'] }

describe('a backend', () => {
  test('without a type is Claude’s own interface, as in files that are older than types', () => {
    expect(read(BACKEND)).toEqual(read({ ...BACKEND, type: 'anthropic' }))
  })

  test.each<[given: object, url: string]>([
    [
      { type: 'claude-on-aws', region: 'us-east-1', workspace_id: 'w', api_key: 'k' },
      'https://aws-external-anthropic.us-east-1.api.aws',
    ],
    [{ type: 'bedrock-mantle', ...AWS }, 'https://bedrock-mantle.us-east-1.api.aws/anthropic'],
    [{ type: 'bedrock', ...AWS }, 'https://bedrock-runtime.us-east-1.amazonaws.com'],
    [
      { type: 'foundry', resource: 'corp', api_key: 'k', models: ['claude-opus-5-5'] },
      'https://corp.services.ai.azure.com/anthropic',
    ],
    [{ ...VERTEX, region: 'europe-west1' }, 'https://europe-west1-aiplatform.googleapis.com'],
    [{ ...VERTEX, region: 'global' }, 'https://aiplatform.googleapis.com'],
    [{ ...VERTEX, region: 'eu' }, 'https://aiplatform.eu.rep.googleapis.com'],
  ])('has its cloud’s address: %o', (given, url) => {
    expect(read(given)?.url).toBe(url)
    expect(read({ ...given, url: 'https://inside.test', resource: undefined })?.url).toBe(
      'https://inside.test',
    )
  })

  test('tells which models a cloud serves from within a region, because it asks more for them', () => {
    const regional = (given: object) => load(of(given)).backends.flatMap(regionalModels)
    const arn = (profile: string) => `arn:aws:bedrock:us-east-1:123456789012:inference-profile/${profile}`
    const models = [
      ...MODELS,
      { id: 'everywhere', upstream: 'global.anthropic.claude-opus-5-5' },
      { id: 'everywhere-too', upstream: arn('global.anthropic.claude-opus-5-5') },
      { id: 'in-europe', upstream: arn('eu.anthropic.claude-opus-5-5') },
      'anthropic.claude-opus-4-5',
    ]
    expect(regional({ ...AWS, type: 'bedrock', models })).toEqual([
      'claude-opus-5-5',
      'in-europe',
      'anthropic.claude-opus-4-5',
    ])
    expect(regional({ ...VERTEX, region: 'us' })).toEqual(['claude-opus-5-5'])
    expect(regional({ ...VERTEX, region: 'global' })).toEqual([])
    expect(regional(BACKEND)).toEqual([])
  })

  test('names its models as it calls them, and as we do', () => {
    expect(read({ type: 'bedrock', ...AWS })).toMatchObject({
      models: ['claude-opus-5-5'],
      upstreamModels: new Map([['claude-opus-5-5', 'us.anthropic.claude-opus-5-5']]),
    })
  })

  test.each([
    [{ type: 'bedrock', region: 'us-east-1', models: MODELS }, 'api_key', /either api_key or credentials/],
    [{ type: 'bedrock', ...AWS, credentials: 'platform' }, 'api_key', /either api_key or credentials/],
    [{ type: 'bedrock', ...AWS, models: [] }, 'models', /at least one model/],
    [{ type: 'bedrock', ...AWS, models: ['claude-*'] }, 'models', /without \*/],
    [{ type: 'bedrock', ...AWS, region: 'us east' }, 'region', /a-z/],
    [{ type: 'foundry', api_key: 'k', models: MODELS }, 'resource', /either resource or url/],
    [{ type: 'claude-on-aws', region: 'us-east-1', api_key: 'k' }, 'workspace_id', /text is expected/],
    [
      { type: 'vertex', project: 'p', region: 'eu', models: MODELS, credentials: 'platform', api_key: 'k' },
      'api_key',
      /no keys/,
    ],
  ])('says what it lacks: %o', (given, path, message) => {
    expect(problemsOf(of(given))).toEqual([
      { path: `backends.0.${path}`, message: expect.stringMatching(message) },
    ])
  })

  test.each(['openai', 'bedrock2', 7])('of a type that is none is refused: %s', (type) => {
    expect(problemsOf(of({ ...BACKEND, type })).map(({ path }) => path)).toEqual(['backends.0.type'])
  })

  test('starts healthy with other credentials', () => {
    const keys = (secret: string) => ({ access_key_id: 'AKIA4711', secret_access_key: secret })
    const readWith = (secret: string) =>
      read({ ...AWS, type: 'bedrock', api_key: undefined, credentials: keys(secret) })?.credentials
    expect(readWith('s3cr3t-1')).not.toBe(readWith('s3cr3t-2'))
  })
})
