/** The reference as OpenAPI and as a page, which loads nothing from other origins. */
import { html, raw } from 'hono/html'
import type { Deps } from '../../core/deps.ts'
import { isRecord } from '../../core/json/is-record.ts'
import { sameForAll } from '../compressed.ts'
import { type Route, route } from '../route.ts'
import { metricsTable } from './metrics.ts'
import { describeApi, type OpenApi, type Operation, type Schema } from './openapi.ts'
import { parameterTables } from './parameters.ts'

const PAGE_POLICY = "default-src 'none'; style-src 'self'; frame-ancestors 'none'"

/** Routes that serve the reference of `functions`; it does not include them. */
export function docsOf(functions: Readonly<Record<string, readonly Route[]>>): Route[] {
  let described: OpenApi | undefined
  const api = ({ version }: Deps) => {
    described ??= describeApi(functions, version)
    return described
  }
  return [
    route({
      method: 'GET',
      path: '/openapi.json',
      tier: 'public',
      summary: 'This interface as OpenAPI 3.1.',
      handle: sameForAll((deps) => JSON.stringify(api(deps)), { 'content-type': 'application/json' }),
    }),
    route({
      method: 'GET',
      path: '/openapi',
      tier: 'public',
      summary: 'This interface as a plain page.',
      produces: ['text/html'],
      handle: sameForAll(async (deps) => String(await page(api(deps))), {
        'content-type': 'text/html; charset=utf-8',
        'content-security-policy': PAGE_POLICY,
      }),
    }),
    route({
      method: 'GET',
      path: '/openapi/style.css',
      tier: 'public',
      summary: 'How the page looks.',
      produces: ['text/css'],
      handle: () => new Response(STYLE, { headers: { 'content-type': 'text/css; charset=utf-8' } }),
    }),
  ]
}

function page(api: OpenApi) {
  const operations = Object.entries(api.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ path, method, operation })),
  )
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Claude Gateway: reference</title>
<link rel="stylesheet" href="/openapi/style.css">
</head>
<body>
<header><h1>Claude Gateway</h1>
<p>Every route of this gateway, made from the schemas that check it. For tools: <a href="/openapi.json">openapi.json</a>.</p></header>
<nav aria-label="Sections"><ul>${api.tags.map(({ name }) => html`<li><a href="#${name}">${name}</a></li>`)}<li><a href="#openai-parameters">openai's parameters</a></li><li><a href="#figures">figures</a></li></ul></nav>
<main>
${api.tags.map(
  ({ name, description }) => html`<section id="${name}"><h2>${name}</h2><p>${description}</p>
${operations
  .filter(({ operation }) => operation.tags.includes(name))
  .map(({ path, method, operation }) => entry(path, method, operation))}
</section>`,
)}
${parameterTables()}
${metricsTable()}
<section id="schemas"><h2>Shapes</h2>
${Object.entries(api.components.schemas).map(
  ([name, schema]) => html`<article id="shape-${name}"><h3>${name}</h3>${shape(schema)}</article>`,
)}
</section>
</main>
</body>
</html>`
}

function entry(path: string, method: string, operation: Operation) {
  const { operationId, summary, description, parameters = [], requestBody, responses } = operation
  const [status = '', done] = Object.entries(responses)[0] ?? []
  const content = done && 'content' in done ? Object.entries(done.content ?? {}) : []
  return html`<article id="${operationId}">
<h3><span class="method ${method}">${method.toUpperCase()}</span> <code>${path}</code></h3>
<p>${summary} <span class="who">${description}</span></p>
${parameters.length === 0 ? '' : html`<h4>Parameters</h4><dl>${parameters.map(parameter)}</dl>`}
${requestBody ? html`<h4>Body</h4>${shape(requestBody.content['application/json']?.schema ?? {})}` : ''}
${content.map(([type, { schema }]) => html`<h4>${status} <code>${type}</code></h4>${schema ? shape(schema) : ''}`)}
</article>`
}

function parameter({ name, schema, required }: NonNullable<Operation['parameters']>[number]) {
  const about = typeof schema.description === 'string' ? schema.description : ''
  return html`<dt><code>${name}</code></dt><dd><code>${raw(typeText(schema, ''))}</code>${required ? ' required' : ''} ${about}</dd>`
}

function shape(schema: Schema) {
  return html`<pre tabindex="0"><code>${raw(typeText(schema, ''))}</code></pre>`
}

/** A schema written like a TypeScript type, as HTML; names of shapes are links. */
function typeText(schema: unknown, indent: string): string {
  if (!isRecord(schema)) return 'any'
  const { $ref, anyOf, type, items, properties, required } = schema
  if (typeof $ref === 'string') {
    const name = escaped($ref.split('/').at(-1) ?? '')
    return `<a href="#shape-${name}">${name}</a>`
  }
  if (Array.isArray(schema.enum))
    return schema.enum.map((value) => escaped(JSON.stringify(value))).join(' | ')
  if ('const' in schema) return escaped(JSON.stringify(schema.const))
  if (Array.isArray(anyOf)) return anyOf.map((one) => typeText(one, indent)).join(' | ')
  if (type === 'array') return `[${typeText(items, indent)}]`
  if (!isRecord(properties)) {
    const kind = Array.isArray(type) ? type.join(' | ') : (type ?? 'any')
    return escaped(schema.format ? `${kind} (${schema.format})` : String(kind))
  }
  if (Object.keys(properties).length === 0) return '{ … }'
  const inner = `${indent}  `
  const needed = Array.isArray(required) ? required : []
  const lines = Object.entries(properties).map(([name, one]) => {
    const about =
      isRecord(one) && typeof one.description === 'string' ? `  // ${escaped(one.description)}` : ''
    return `${inner}${escaped(name)}${needed.includes(name) ? '' : '?'}: ${typeText(one, inner)}${about}`
  })
  return `{\n${lines.join('\n')}\n${indent}}`
}

function escaped(text: string): string {
  return text.replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`)
}

const STYLE = `
:root { color-scheme: light dark; --soft: color-mix(in srgb, CanvasText 8%, Canvas); --line: color-mix(in srgb, CanvasText 18%, Canvas); }
* { box-sizing: border-box; }
body { font: 1rem/1.6 system-ui, sans-serif; margin: 0 auto; max-width: 60rem; padding: 1.5rem; }
nav ul { display: flex; flex-wrap: wrap; gap: .25rem 1rem; list-style: none; padding: 0; }
article { border-top: 1px solid var(--line); padding: .5rem 0 1rem; }
h2 { margin-top: 3rem; text-transform: capitalize; }
h3 { font-size: 1.05rem; overflow-wrap: anywhere; }
h4 { margin: .75rem 0 .25rem; }
code, pre { font: .875rem/1.5 ui-monospace, monospace; }
pre { background: var(--soft); border-radius: .5rem; margin: 0; overflow-x: auto; padding: .75rem 1rem; }
.method { background: var(--soft); border-radius: .3rem; font: 600 .8rem ui-monospace, monospace; padding: .15rem .4rem; }
.who { color: color-mix(in srgb, CanvasText 65%, Canvas); }
dt { float: left; clear: left; min-width: 9rem; }
dd { margin: 0 0 .25rem 9.5rem; }
table { border-collapse: collapse; display: block; overflow-x: auto; width: 100%; }
th, td { border-bottom: 1px solid var(--line); padding: .25rem .75rem .25rem 0; text-align: left; vertical-align: top; }
td:first-child { min-width: 16rem; overflow-wrap: anywhere; }
a { color: LinkText; }
`
