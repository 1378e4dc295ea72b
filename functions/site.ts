/** Serves the dashboard at paths that no route has. */
import type { Site } from '../core/ports.ts'

/** Paths of pages, which are all the same file: no dots, no encoded characters, no double slashes. */
const PAGE = /^(\/[a-z0-9_-]+)*\/?$/i
const FILES = '/_app'
/** Prefixes of the API, below which there are no pages. wrangler.toml lists them as well. */
export const API_PREFIXES = [
  '/api',
  '/admin/api',
  '/v1',
  '/scim',
  '/openapi',
  '/openapi.json',
  '/healthz',
  '/readyz',
  '/metrics',
  '/oauth',
  '/managed',
  '/user',
  '/.well-known',
] as const

/**
 * The file at `path`, or the page if a browser navigates there; undefined otherwise. Programs get no page, because a 200 at
 * an unknown path would make metrics, settings and the like seem to exist.
 */
export async function fromSite(site: Site, request: Request, path: string): Promise<Response | undefined> {
  if (request.method !== 'GET' && request.method !== 'HEAD') return undefined
  const file = await site.file(request)
  if (file) return file
  const navigates = request.headers.get('accept')?.toLowerCase().includes('text/html') ?? false
  return navigates && isPage(path) ? site.page(request) : undefined
}

function isPage(path: string): boolean {
  return PAGE.test(path) && ![FILES, ...API_PREFIXES].some((prefix) => `${path}/`.startsWith(`${prefix}/`))
}
