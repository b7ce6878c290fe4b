import type { Metrics } from './metrics.ts'

export const PROMETHEUS_TEXT = 'text/plain; version=0.0.4; charset=utf-8'
export const OPENMETRICS_TEXT = 'application/openmetrics-text; version=1.0.0; charset=utf-8'

/** What a scraper gets: the Prometheus text format, or OpenMetrics when its Accept header prefers that. */
export async function scrape(metrics: Metrics, accept: string | undefined): Promise<{ contentType: string; text: string }> {
  const state = metrics.state()
  const text = await metrics.registry.metrics()
  const scraped = prefersOpenMetrics(accept) ? { contentType: OPENMETRICS_TEXT, text: toOpenMetrics(text) } : { contentType: PROMETHEUS_TEXT, text }
  LAST.set(metrics, { state, at: performance.now(), contentType: scraped.contentType, bytes: Buffer.from(scraped.text) })
  return scraped
}

/** A text is sent again for so long at most, while no figure has changed: so old is its uptime, and what it says of scrapes. */
const SENT_AGAIN_MS = 100
const LAST = new WeakMap<Metrics, { readonly state: string; readonly at: number; readonly contentType: string; readonly bytes: Buffer }>()

/** The last scrape, when nothing has changed since; null otherwise. Writing the text takes a millisecond and a half, and this nothing. */
export function scrapedAlready(metrics: Metrics, accept: string | undefined, ageMsMax = SENT_AGAIN_MS): { readonly contentType: string; readonly bytes: Buffer } | null {
  const last = LAST.get(metrics)
  if (last === undefined || performance.now() - last.at > ageMsMax || last.state !== metrics.state()) return null
  return last.contentType === (prefersOpenMetrics(accept) ? OPENMETRICS_TEXT : PROMETHEUS_TEXT) ? last : null
}

/**
 * The same figures in OpenMetrics' spelling: a counter's family is named without `_total`, no blank lines, `# EOF` at the end.
 *
 * prom-client can do this too, but it renames the counters for good while doing so: every later scrape in the plain format would miss them.
 */
function toOpenMetrics(text: string): string {
  const lines: string[] = []
  for (const line of text.split('\n')) {
    if (line === '') continue
    const meta = /^# (HELP|TYPE) (\S+)_total (.*)$/.exec(line)
    lines.push(meta === null ? line : `# ${meta[1]} ${meta[2]} ${meta[3]}`)
  }
  return `${lines.join('\n')}\n# EOF\n`
}

function prefersOpenMetrics(accept = ''): boolean {
  const quality = (type: string) => {
    const range = accept.split(',').map((part) => part.trim()).find((part) => part.split(';')[0]?.trim().toLowerCase() === type)
    return range === undefined ? 0 : Number(/;\s*q=([\d.]+)/.exec(range)?.[1] ?? 1)
  }
  const open = quality('application/openmetrics-text')
  return open > 0 && open >= quality('text/plain')
}
