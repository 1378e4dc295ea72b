/** The dashboard's part of the addresses that no route has. */
import type { Site } from '../core/ports.ts'

/** Every page is the same file. What looks like a file, or like a way around, is none. */
const PAGE = /^(\/[a-z0-9_-]+)*\/?$/i
const FILES = '/_app'
/** Where the API's addresses begin: no page stands there. wrangler.toml names them too. */
export const API_PREFIXES = [
  '/api',
  '/admin/api',
  '/v1',
  '/docs',
  '/openapi.json',
  '/healthz',
  '/readyz',
] as const

/**
 * The file at this address, or the page for a browser that goes there; undefined for neither. A program that asks for
 * what there is not must not be told 200: metrics, settings and the like would seem to be there.
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
