/** The real helm, compiled on first use (minutes; needs Go), and the schemas of Kubernetes. */
import { execFileSync } from 'node:child_process'
import { copyFileSync, existsSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import * as z from 'zod'

const FOLDER = join(import.meta.dirname, '../../.tools/chart')
export const HELM = join(FOLDER, 'helm')
/** Kubernetes' OpenAPI document, whose definitions describe every resource. */
export const SWAGGER = join(FOLDER, 'swagger.json')
const HELM_MODULE = 'helm.sh/helm/v3/cmd/helm@v3.22.0'
const KUBERNETES_MODULE = 'k8s.io/kubernetes@v1.37.0'

export default function install() {
  mkdirSync(FOLDER, { recursive: true })
  const env = { ...process.env, GOBIN: FOLDER, GOFLAGS: '-ldflags=-w', CGO_ENABLED: '0' }
  if (!existsSync(HELM))
    execFileSync('go', ['install', HELM_MODULE], { env, stdio: ['ignore', 'ignore', 'pipe'] })
  if (existsSync(SWAGGER)) return
  const told = execFileSync('go', ['mod', 'download', '-json', KUBERNETES_MODULE], { env })
  const { Dir } = z.object({ Dir: z.string() }).parse(JSON.parse(String(told)))
  copyFileSync(join(Dir, 'api/openapi-spec/swagger.json'), SWAGGER)
}
