/** What goes into an image and how a service is held, by the files that say so. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { globSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import { join, matchesGlob } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import * as z from 'zod'
import { loadConfig } from '../config/load.ts'
import { temporaryFolder } from './support/stores.ts'

describe('the context of an image', () => {
  const rules = readFileSync('.dockerignore', 'utf8')
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
  /** As Docker reads it: a pattern holds for what is below, and the last one that matches decides. */
  const isLeftOut = (path: string) => {
    const places = path.split('/').map((_, i, parts) => parts.slice(0, i + 1).join('/'))
    const matches = (rule: string) => places.some((place) => matchesGlob(place, rule.replace(/^!/, '')))
    return !(rules.findLast(matches)?.startsWith('!') ?? true)
  }

  test.each([
    'config/config.yaml',
    'config/config.production.yaml',
    '.env',
    '.env.local',
    'adapters/node/.env.production',
    '.dev.vars',
    '.dev.vars.staging',
    'data/session.secret',
    'data/journal/1.log',
    'gateway.db',
    'backups/gateway.db-wal',
    'tls/server.key',
    'tls/server.pem',
    'secrets/key',
    'adapters/node/secrets.env',
    '.npmrc',
    '.git/config',
    'node_modules/x/index.js',
  ])('%s is not in it', (path) => {
    expect(isLeftOut(path)).toBe(true)
  })

  test('all that the gateway runs and is built from is', () => {
    const sources = globSync('{core,functions,adapters,config,site/src}/**/*', { withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => `${entry.parentPath}/${entry.name}`.replace(`${process.cwd()}/`, ''))
      .filter((path) => !/^config\/(?!config\.example)[^/]*\.yaml$/.test(path))
    expect(sources.length).toBeGreaterThan(100)
    expect([...sources, 'package.json', 'package-lock.json', 'tsconfig.json'].filter(isLeftOut)).toEqual([])
  })
})

describe('the health check of an image', () => {
  const folder = temporaryFolder()
  afterEach(folder.remove)
  const [, healthy = ''] =
    /^HEALTHCHECK .*CMD \["node", "([^"]+)"\]$/m.exec(readFileSync('adapters/node/Dockerfile', 'utf8')) ?? []
  /** As the system tells of a socket: a port that is listened on, or one that is connected. */
  const socket = (port: number, state = '0A', user = process.getuid?.() ?? 0) =>
    `   0: 00000000:${port.toString(16).padStart(4, '0').toUpperCase()} 00000000:0000 ${state} 00000000:00000000 00:00000000 00000000 ${user} 0 1`
  const endOf = async (...sockets: string[]) => {
    for (const name of ['tcp', 'tcp6'])
      writeFileSync(
        join(folder.path, name),
        `  sl  local_address\n${name === 'tcp' ? sockets.join('\n') : ''}\n`,
      )
    const [code] = await once(spawn(process.execPath, [healthy, folder.path]), 'exit')
    return code
  }

  test('asks whatever port the gateway listens on', async () => {
    const server = createServer(
      ({ url }, response) => void response.writeHead(url === '/healthz' ? 200 : 404).end(),
    )
    const other = createServer((_, response) => void response.writeHead(404).end())
    const portOf = async (one: Server) => {
      await once(one.listen(0, '127.0.0.1'), 'listening')
      const address = one.address()
      return typeof address === 'object' ? (address?.port ?? 0) : 0
    }
    const [port, foreign] = [await portOf(server), await portOf(other)]
    try {
      expect(await endOf(socket(foreign), socket(port))).toBe(0)
      expect(await endOf(socket(foreign))).toBe(1)
      expect(await endOf(socket(port, '01'), socket(port, '0A', 4711))).toBe(1)
      expect(await endOf()).toBe(1)
    } finally {
      server.close()
      other.close()
    }
  })
})

test('what is installed is what the lock file says, also on other machines', () => {
  for (const file of ['.ci/run', 'adapters/node/Dockerfile']) {
    expect(readFileSync(file, 'utf8')).toMatch(/^(RUN )?npm ci /m)
  }
  const Entry = z.looseObject({
    dependencies: z.record(z.string(), z.string()).default({}),
    optionalDependencies: z.record(z.string(), z.string()).default({}),
  })
  const { packages } = z
    .object({ packages: z.record(z.string(), Entry) })
    .parse(JSON.parse(readFileSync('package-lock.json', 'utf8')))
  /** Where Node looks for `name` from the package at `path`. */
  const isLocked = (path: string, name: string): boolean =>
    `${path && `${path}/`}node_modules/${name}` in packages ||
    (path !== '' && isLocked(path.slice(0, Math.max(0, path.lastIndexOf('/node_modules/'))), name))
  const missing = Object.entries(packages).flatMap(([path, { dependencies, optionalDependencies }]) =>
    Object.keys({ ...dependencies, ...optionalDependencies }).filter((name) => !isLocked(path, name)),
  )
  expect(missing).toEqual([])
})

test('whoever stops the service waits longer than its calls may', () => {
  const { drain_delay, drain_timeout } = loadConfig({
    text: readFileSync('config/config.example.yaml', 'utf8'),
    file: 'config.example.yaml',
    env: { SESSION_SECRET: 'b7e1d0c4a96f42358e0d7a1c5f3b9e62d84a', ANTHROPIC_API_KEY: 'sk-ant-4711' },
    readFile: () => '',
  }).server
  const unit = readFileSync('adapters/node/claude-gateway.service', 'utf8')
  expect(Number(/^TimeoutStopSec=(\d+)$/m.exec(unit)?.[1]) * 1000).toBeGreaterThan(
    drain_delay + drain_timeout,
  )
})

test('the service leaves no core behind and may do little', () => {
  const unit = readFileSync('adapters/node/claude-gateway.service', 'utf8').split('\n')
  for (const line of [
    'LimitCORE=0',
    'UMask=0077',
    'NoNewPrivileges=yes',
    'ProtectSystem=strict',
    'PrivateUsers=yes',
    'DynamicUser=yes',
    'CapabilityBoundingSet=',
    'ProtectProc=invisible',
    'RestrictRealtime=yes',
  ])
    expect(unit).toContain(line)
})
