/** The libraries of AWS and Google, in Python, that say whether a request proves who asks. Installed on first use. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { pipInstall, TOOLS_FOLDER } from './install.ts'

const FOLDER = join(TOOLS_FOLDER, 'clouds-python')
const PINNED = ['botocore==1.44.8', 'cryptography==50.0.2', 'google-auth==2.63.0']

export interface CloudChecks {
  /** What AWS would call the error; null when the signature is right. */
  signature(request: {
    method: string
    url: string
    headers: (readonly [string, string])[]
    body: Buffer
    region: string
    service: string
    keys: { accessKeyId: string; secretAccessKey: string; sessionToken?: string | undefined }
    now: number
  }): Promise<string | null>
  /** What is wrong with a service account's assertion; null when nothing is. */
  grant(asked: {
    assertion: string
    public_key: string
    audience: string
    issuer: string
    key_id: string
  }): Promise<string | null>
  stop(): Promise<void>
}

export async function startCloudChecks(): Promise<CloudChecks> {
  await pipInstall(FOLDER, PINNED)
  const child = spawn(join(FOLDER, 'bin/python'), [join(import.meta.dirname, 'clouds.py')], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  const waiting: ((answer: string) => void)[] = []
  createInterface(child.stdout).on('line', (line) => waiting.shift()?.(line))
  const ask = async (question: object): Promise<string | null> => {
    const { promise, resolve } = Promise.withResolvers<string>()
    waiting.push(resolve)
    child.stdin.write(`${JSON.stringify(question)}\n`)
    const problem: unknown = JSON.parse(await promise)
    return problem === null ? null : String(problem)
  }
  return {
    signature: ({ keys, body, ...request }) =>
      ask({
        about: 'signature',
        ...request,
        body: body.toString('base64'),
        access_key: keys.accessKeyId,
        secret: keys.secretAccessKey,
        token: keys.sessionToken ?? null,
      }),
    grant: (asked) => ask({ about: 'grant', ...asked }),
    async stop() {
      const ended = once(child, 'exit')
      child.stdin.end()
      await ended
    },
  }
}
