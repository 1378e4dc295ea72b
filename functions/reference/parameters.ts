/** What becomes of each parameter of OpenAI's interfaces, as tables of the reference. */
import { html } from 'hono/html'
import { CHAT } from '../../core/openai/parameters/chat.ts'
import type { Fate, Parameter } from '../../core/openai/parameters/parameter.ts'
import { RESPONSES } from '../../core/openai/parameters/responses.ts'

const FATES: Record<Fate, string> = { carried: 'carried out', warned: 'warned', refused: 'refused' }

export function parameterTables() {
  return html`<section id="openai-parameters"><h2>OpenAI's parameters</h2>
<p>What Claude has no equal for is listed by its path in the header <code>x-gateway-warning</code>, or refused with a 400 that names it. A
backend with <code>openai: passthrough</code> gets requests as they come.</p>
${table('/v1/chat/completions', CHAT)}
${table('/v1/responses', RESPONSES)}
</section>`
}

function table(path: string, rows: readonly Parameter[]) {
  return html`<article><h3><code>${path}</code></h3>
<table><thead><tr><th>Parameter</th><th>Becomes</th><th></th></tr></thead>
<tbody>${rows.map(
    ({ path: name, fate, about, idle }) =>
      html`<tr><td><code>${name.replaceAll('|', ' | ')}</code></td><td>${FATES[fate]}</td><td>${[about, ...unless(idle)].filter(Boolean).join('; ')}</td></tr>`,
  )}</tbody></table></article>`
}

function unless(idle: readonly unknown[]): string[] {
  return idle.length > 0
    ? [`nothing is asked by ${idle.map((value) => JSON.stringify(value)).join(', ')}`]
    : []
}
