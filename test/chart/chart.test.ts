/** The Helm chart, rendered by the real helm and checked by Kubernetes' own schemas. */
import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { parse, parseAllDocuments, stringify } from 'yaml'
import { loadConfig } from '../../config/load.ts'
import { temporaryFolder } from '../support/stores.ts'
import { HELM } from './install.ts'
import { problemsOf, Resource } from './kubernetes.ts'

const CHART = join(import.meta.dirname, '../../adapters/node/chart')
const folder = temporaryFolder()
afterAll(folder.remove)

const ONE = {
  config: {
    backends: [{ name: 'a', url: 'https://claude.test', api_key: 'k-of-a' }],
    auth: { session_secret: 'b7e1d0c4a96f42358e0d7a1c5f3b9e62d84a' },
  },
}
const MANY = {
  replicas: 3,
  config: {
    ...ONE.config,
    database: { url: 'https://db.test', auth_token: 't' },
    redis: { url: 'redis://redis.test' },
    limits: { store: 'redis' },
    health: { store: 'redis' },
  },
}

function helm(command: string, values: object) {
  const file = join(folder.path, 'values.yaml')
  writeFileSync(file, stringify(values))
  const given = command === 'lint' ? ['lint', '--strict', CHART] : ['template', 'ours', CHART]
  const { status, stdout, stderr } = spawnSync(HELM, [...given, '--values', file], { encoding: 'utf8' })
  return { status, stdout, said: stdout + stderr }
}

function rendered(values: object): Resource[] {
  const { status, stdout, said } = helm('template', values)
  if (status !== 0) throw new Error(said)
  return parseAllDocuments(stdout).map((document) => Resource.parse(document.toJS()))
}
const kindsOf = (resources: Resource[]) =>
  resources
    .map(({ kind }) => kind)
    .sort()
    .join(', ')

describe('the chart', () => {
  test.each([
    ['of one replica', ONE],
    ['of several', MANY],
    [
      'with everything',
      {
        ...MANY,
        imagePullSecrets: [{ name: 'registry' }],
        ingress: { enabled: true, className: 'nginx', host: 'claude.corp.test', tlsSecretName: 'tls' },
        networkPolicy: { from: [{ namespaceSelector: {} }] },
        storage: { className: 'fast' },
        service: { annotations: { 'corp.test/team': 'platform' } },
        nodeSelector: { disk: 'ssd' },
        tolerations: [{ key: 'k', operator: 'Exists' }],
        podAnnotations: { 'corp.test/z': '1' },
      },
    ],
  ])('%s passes the lint, and Kubernetes knows every field', (_, values) => {
    expect(helm('lint', values)).toMatchObject({ status: 0 })
    const resources = rendered(values)
    expect(resources.flatMap(problemsOf)).toEqual([])
  })

  test('is one pod on a volume by default, which ends before the next one starts', () => {
    const resources = rendered(ONE)
    expect(kindsOf(resources)).toBe('ConfigMap, Deployment, NetworkPolicy, PersistentVolumeClaim, Service')
    expect(resources.find(({ kind }) => kind === 'Deployment')).toMatchObject({
      spec: { replicas: 1, strategy: { type: 'Recreate' } },
    })
  })

  test('is pods with volumes of their own on shared stores, of which one at a time may be gone', () => {
    const resources = rendered(MANY)
    expect(kindsOf(resources)).toBe('ConfigMap, NetworkPolicy, PodDisruptionBudget, Service, StatefulSet')
    expect(resources.find(({ kind }) => kind === 'StatefulSet')).toMatchObject({
      spec: { replicas: 3, volumeClaimTemplates: [{ metadata: { name: 'data' } }] },
    })
  })

  test('runs without rights, on a file system that it cannot write to, and waits for the drain', () => {
    for (const values of [ONE, MANY]) {
      const pod = rendered(values).find(({ kind }) => /Deployment|StatefulSet/.test(kind))
      expect(pod).toMatchObject({
        spec: {
          template: {
            spec: {
              automountServiceAccountToken: false,
              terminationGracePeriodSeconds: 60,
              securityContext: { runAsNonRoot: true },
              containers: [
                {
                  securityContext: {
                    readOnlyRootFilesystem: true,
                    allowPrivilegeEscalation: false,
                    capabilities: { drop: ['ALL'] },
                  },
                  readinessProbe: { httpGet: { path: '/readyz' } },
                  livenessProbe: { httpGet: { path: '/healthz' } },
                },
              ],
            },
          },
        },
      })
    }
  })

  test('has a configuration that the gateway takes', () => {
    const map = rendered(MANY).find(({ kind }) => kind === 'ConfigMap')
    const { 'config.yaml': text } = Object(map?.data)
    const config = loadConfig({ text, file: 'config.yaml', env: {}, readFile: () => '' })
    expect(config.database).toMatchObject({ path: '/data/gateway.db', url: 'https://db.test' })
    expect(config.server.port).toBe(8080)
    expect(parse(text).limits).toEqual({ store: 'redis' })
  })

  test.each([
    ['two replicas on one SQLite file', { ...ONE, replicas: 2 }, 'cannot share an SQLite file'],
    [
      'several replicas that each count for themselves',
      { ...MANY, config: { ...MANY.config, limits: { store: 'local' } } },
      'config.limits.store',
    ],
    [
      'several replicas that each have health of their own',
      { ...MANY, config: { ...MANY.config, health: {} } },
      'config.health.store',
    ],
    [
      'a port that probes do not know',
      { config: { ...ONE.config, server: { port: 9 } } },
      'config.server.port',
    ],
    [
      'a database beside the volume',
      { config: { ...ONE.config, database: { path: '/x.db' } } },
      'config.database.path',
    ],
    ['an ingress for no name', { ...ONE, ingress: { enabled: true } }, 'ingress.host'],
  ])('refuses %s', (_, values, sentence) => {
    const { status, said } = helm('template', values)
    expect(status).not.toBe(0)
    expect(said).toContain(sentence)
  })
})
