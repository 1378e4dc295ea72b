/** The real helm, compiled on first use (minutes), and the schemas of Kubernetes. */
import { execFileSync, spawnSync } from 'node:child_process'
import { copyFileSync, existsSync, mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import * as z from 'zod'

const FOLDER = join(import.meta.dirname, '../../.tools/chart')
export const HELM = join(FOLDER, 'helm')
/** Kubernetes' OpenAPI document, whose definitions describe every resource. */
export const SWAGGER = join(FOLDER, 'swagger.json')
const GO = 'go1.26.8'
const HELM_MODULE = 'helm.sh/helm/v3/cmd/helm@v3.22.0'
const KUBERNETES_MODULE = 'k8s.io/kubernetes@v1.37.0'

export default function install() {
  if (existsSync(HELM) && existsSync(SWAGGER)) return
  mkdirSync(FOLDER, { recursive: true })
  const go = installedGo() ?? downloadedGo()
  const env = { ...process.env, GOBIN: FOLDER, GOFLAGS: '-ldflags=-w', CGO_ENABLED: '0' }
  execFileSync(go, ['install', HELM_MODULE], { env, stdio: ['ignore', 'ignore', 'pipe'] })
  const told = execFileSync(go, ['mod', 'download', '-json', KUBERNETES_MODULE], { env })
  const { Dir } = z.object({ Dir: z.string() }).parse(JSON.parse(String(told)))
  copyFileSync(join(Dir, 'api/openapi-spec/swagger.json'), SWAGGER)
}

/** Go from 1.21 on, which gets the version that a module needs by itself. */
function installedGo(): string | undefined {
  return ['go', '/usr/local/go/bin/go'].find((go) => {
    const [, minor] = /go1\.(\d+)/.exec(String(spawnSync(go, ['version']).stdout)) ?? []
    return Number(minor) >= 21
  })
}

/** Go as its module proxy has it: https://go.dev/ref/mod#goproxy-protocol */
function downloadedGo(): string {
  const version = `v0.0.1-${GO}.linux-${process.arch === 'arm64' ? 'arm64' : 'amd64'}`
  const root = join(FOLDER, `golang.org/toolchain@${version}`)
  if (!existsSync(root)) {
    const archive = join(FOLDER, 'go.zip')
    const url = `https://proxy.golang.org/golang.org/toolchain/@v/${version}.zip`
    execFileSync('curl', ['-fsSLo', archive, url])
    execFileSync('unzip', ['-q', archive, '-d', FOLDER])
    rmSync(archive)
    // A module has no executable files.
    execFileSync('chmod', ['-R', '+x', join(root, 'bin'), join(root, 'pkg/tool')])
  }
  return join(root, 'bin/go')
}
