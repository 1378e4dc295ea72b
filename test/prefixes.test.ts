/** Where the API's addresses begin is told in several places, which must say the same as the routes. */
import { expect, test } from 'vitest'
import { unstable_readConfig as readWranglerConfig } from 'wrangler'
import { docsOf } from '../functions/reference/page.ts'
import { API_PREFIXES } from '../functions/site.ts'
import { functions } from '../functions/table.ts'

const paths = [...Object.values(functions).flat(), ...docsOf(functions)].map(({ path }) => path)
/** The first segment; under /admin there are pages too. */
const prefixOf = (path: string) => /^(\/admin)?\/[^/]+/.exec(path)?.[0] ?? path
const sorted = (texts: Iterable<string>) => [...new Set(texts)].toSorted()

test('no page of the dashboard stands where the routes are, and its development server passes them on', () => {
  expect(sorted(API_PREFIXES)).toEqual(sorted(paths.map(prefixOf)))
})

test('on Workers the worker is asked before the files are, for every route', () => {
  const { assets } = readWranglerConfig({ config: 'wrangler.toml' })
  const first = paths.map((path) => (path === prefixOf(path) ? path : `${prefixOf(path)}/*`))
  expect(sorted([assets?.run_worker_first ?? []].flat().map(String))).toEqual(sorted(first))
})

test('lists that may have thousands of rows are read where no call waits for them', () => {
  const reports = Object.values(functions)
    .flat()
    .filter(({ report }) => report)
    .map(({ path }) => path)
  const company = '/v1/organizations'
  const long = ['users', 'api_keys', 'spend_limits', 'rbac_groups/:id/members'].map(
    (list) => `${company}/${list}`,
  )
  const ours = ['/admin/api/groups/:id', '/api/groups/:id/members']
  expect(reports).toEqual(expect.arrayContaining([...long, ...ours]))
})
