/**
 * The dashboard's files, read into memory at the start, so that no path can reach another file. Names under /_app/immutable
 * contain a hash, so browsers may cache them for good.
 */
import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { extname, join, relative, sep } from 'node:path'
import { gzipSync } from 'node:zlib'
import type { Site } from '../../core/ports.ts'

const TYPES = new Map(
  Object.entries<string>({
    '.html': 'text/html; charset=utf-8',
    '.js': 'text/javascript; charset=utf-8',
    '.css': 'text/css; charset=utf-8',
    '.svg': 'image/svg+xml',
    '.json': 'application/json',
  }),
)
const COMPRESSED = /^(text|image\/svg|application\/json)/

interface File {
  body: Buffer
  /** The same in gzip, made when it is asked for first; undefined for what is compressed already. */
  gzipped: (() => Buffer) | undefined
  headers: Record<string, string>
}

/** The dashboard in `folder`; undefined if it is not built. */
export function siteFrom(folder: string): Site | undefined {
  if (!existsSync(join(folder, 'index.html'))) return undefined
  const files = new Map(filesIn(folder).map((file) => [file, readFile(folder, file)]))
  const page = files.get('/index.html')
  files.delete('/index.html')
  const answer = (file: File | undefined, request: Request) => file && respond(file, request)
  return {
    file: (request) => answer(files.get(new URL(request.url).pathname), request),
    page: (request) => answer(page, request),
  }
}

function filesIn(folder: string): string[] {
  return (
    readdirSync(folder, { recursive: true, withFileTypes: true })
      // _headers is for Cloudflare; this file sets the same headers.
      .filter((entry) => entry.isFile() && !entry.name.startsWith('.') && entry.name !== '_headers')
      .map((entry) => `/${relative(folder, join(entry.parentPath, entry.name)).split(sep).join('/')}`)
  )
}

function readFile(folder: string, path: string): File {
  const body = readFileSync(join(folder, path))
  const type = TYPES.get(extname(path)) ?? 'application/octet-stream'
  const forGood = path.startsWith('/_app/immutable/')
  return {
    body,
    gzipped: COMPRESSED.test(type) ? once(() => gzipSync(body)) : undefined,
    headers: {
      'content-type': type,
      'cache-control': forGood ? 'public, max-age=31536000, immutable' : 'no-cache',
      etag: `"${createHash('sha256').update(body).digest('base64url').slice(0, 22)}"`,
      vary: 'accept-encoding',
      ...(type.startsWith('text/html') ? { 'content-security-policy': policyOf(body.toString()) } : {}),
    },
  }
}

function once<T>(make: () => T): () => T {
  let made: { value: T } | undefined
  return () => {
    made ??= { value: make() }
    return made.value
  }
}

/** The content-security-policy in the page, with the hash of its inline script, and frame-ancestors, which needs a header. */
function policyOf(html: string): string {
  const own =
    /<meta http-equiv="content-security-policy" content="([^"]*)"/i.exec(html)?.[1] ?? "default-src 'none'"
  return `${own}; frame-ancestors 'none'`
}

function respond({ body, gzipped, headers }: File, request: Request): Response {
  if (request.headers.get('if-none-match') === headers.etag)
    return new Response(null, { status: 304, headers })
  const zipped =
    gzipped && /\bgzip\b/.test(request.headers.get('accept-encoding') ?? '') ? gzipped() : undefined
  const sent = zipped ?? body
  const all = {
    ...headers,
    'content-length': String(sent.byteLength),
    ...(zipped ? { 'content-encoding': 'gzip' } : {}),
  }
  return new Response(request.method === 'HEAD' ? null : new Uint8Array(sent), { headers: all })
}
