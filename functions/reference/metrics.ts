/** Every metric, as a table of the reference. */
import { html } from 'hono/html'
import { prometheusName } from '../../core/observability/prometheus.ts'
import { METRIC_NAMES, metricOf } from '../../core/observability/table.ts'

export function metricsTable() {
  return html`<section id="figures"><h2>Metrics</h2>
<p>What <code>/metrics</code> tells where it is served, and what goes to a collector, there with dots in names. A histogram has
<code>_bucket</code>, <code>_sum</code> and <code>_count</code>.</p>
<article><table><thead><tr><th>Metric</th><th>Labels</th><th></th></tr></thead>
<tbody>${METRIC_NAMES.map((name) => {
    const { kind, labels, help } = metricOf(name)
    const shown = `${prometheusName(name)}${kind === 'counter' ? '_total' : ''}`
    const named = labels.map((label) => label.replaceAll('.', '_')).join(', ')
    return html`<tr><td><code>${shown}</code> ${kind}</td><td>${named}</td><td>${help}</td></tr>`
  })}</tbody></table></article></section>`
}
