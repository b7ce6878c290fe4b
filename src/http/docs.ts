import { createHash } from 'node:crypto'
import { accessSentence, failuresOf, openApi } from './openapi.ts'
import type { Endpoint } from './contract.ts'
import { CONTENT_SECURITY_POLICY } from './headers.ts'
import { PROBLEMS } from './problem.ts'

const STYLE = `
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #1a1a1a; background: #fff }
h2 { margin-top: 3rem; border-top: 1px solid #ccc; padding-top: 1rem } h3 { margin-bottom: .2rem }
code, pre { font: 14px/1.4 ui-monospace, monospace } pre { background: #f4f4f4; padding: .8rem; overflow-x: auto; border-radius: 4px }
table { border-collapse: collapse; width: 100% } th, td { text-align: left; vertical-align: top; padding: .25rem .8rem .25rem 0; border-bottom: 1px solid #e4e4e4 }
.method { display: inline-block; min-width: 3.5rem; font-weight: 600 } summary { cursor: pointer }
@media (prefers-color-scheme: dark) { body { color: #e6e6e6; background: #16181c } pre { background: #22252b } th, td { border-color: #333 } a { color: #8ab4f8 } }
`

/** The only policy under which the page shows its style and still runs nothing. */
export const DOCS_CONTENT_SECURITY_POLICY = `${CONTENT_SECURITY_POLICY}; style-src 'sha256-${createHash('sha256').update(STYLE).digest('base64')}'`

/** The contracts of one process as a page for people: no scripts, nothing loaded from elsewhere, everything escaped. */
export function docsPage({ title, version, description, endpoints }: { title: string; version: string; description: string; endpoints: readonly Endpoint[] }): string {
  const document = openApi({ title, version, description, endpoints })
  const rows = endpoints.map((endpoint) => html`<tr><td><a href="#${anchor(endpoint)}"><span class="method">${endpoint.method}</span> <code>${endpoint.path}</code></a></td>
<td>${endpoint.summary}</td><td>${endpoint.access === 'public' ? 'no token' : endpoint.access.join(', ')}</td></tr>`)
  const codes = Object.entries(PROBLEMS).map(([code, { status, title: meaning }]) => html`<tr id="${code}"><td><code>${code}</code></td><td>${status}</td><td>${meaning}.</td></tr>`)
  return html`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>${title}</title><style>${raw(STYLE)}</style></head>
<body><h1>${title} <small>${version}</small></h1>
<p>${description}</p>
<p>The same for programs: <a href="/openapi.json">/openapi.json</a> (OpenAPI 3.1). A request that carries <code>X-Constitutional-Hash</code> is answered only if that is the
hash in force. <code>X-Request-ID</code> is echoed; <code>traceparent</code> is continued.</p>
<table><thead><tr><th>operation</th><th></th><th>token</th></tr></thead><tbody>${raw(rows.join('\n'))}</tbody></table>
${raw(endpoints.map((endpoint) => section(endpoint, document)).join('\n'))}
<h2 id="problems">Problems</h2>
<p>Errors are <code>application/problem+json</code> (RFC 9457) with <code>type</code>, <code>title</code>, <code>status</code>, <code>detail</code>, <code>code</code>, <code>trace_id</code>, and
<code>problems</code> where several places are wrong.</p>
<table><thead><tr><th>code</th><th>status</th><th>meaning</th></tr></thead><tbody>${raw(codes.join('\n'))}</tbody></table>
</body></html>
`
}

type Document = ReturnType<typeof openApi>
type Operation = {
  parameters: { name: string; in: string; required: boolean; description?: string; schema: unknown }[]
  requestBody?: { content: Record<string, { schema: unknown; example?: unknown }> }
  responses: Record<string, { content: Record<string, { schema: unknown; example?: unknown }> }>
}

function section(endpoint: Endpoint, document: Document): string {
  const operation = document.paths[endpoint.path]![endpoint.method.toLowerCase()] as Operation
  const body = operation.requestBody?.content[endpoint.consumes ?? 'application/json']
  const reply = operation.responses[String(endpoint.status ?? 200)]?.content['application/json']
  const parameters = operation.parameters.map((parameter) => html`<tr><td><code>${parameter.name}</code></td><td>${parameter.in}${parameter.required ? ', required' : ''}</td>
<td>${parameter.description ?? ''}</td><td><code>${JSON.stringify(parameter.schema)}</code></td></tr>`)
  const failures = failuresOf(endpoint).filter((code) => code !== 'INTERNAL')
  return html`<h2 id="${anchor(endpoint)}"><span class="method">${endpoint.method}</span> <code>${endpoint.path}</code></h2>
<p>${endpoint.summary}. ${endpoint.description ?? ''} ${accessSentence(endpoint)}</p>
${raw(parameters.length === 0 ? '' : `<table><tbody>${parameters.join('\n')}</tbody></table>`)}
${raw(body === undefined ? '' : part('Request body', body))}
${raw(reply === undefined ? '' : part('Reply', reply))}
<p>Problems: ${raw(failures.map((code) => html`<a href="#${code}"><code>${code}</code></a>`).join(', '))}</p>`
}

function part(name: string, { schema, example }: { schema: unknown; example?: unknown }): string {
  const shown = example === undefined ? '' : html`<h3>${name}, for example</h3><pre>${JSON.stringify(example, null, 2)}</pre>`
  return html`${raw(shown)}<details><summary>${name}: schema</summary><pre>${JSON.stringify(schema, null, 2)}</pre></details>`
}

function anchor(endpoint: Endpoint): string {
  return `${endpoint.method.toLowerCase()}${endpoint.path.replace(/[^A-Za-z0-9]+/g, '-')}`
}

type Raw = { readonly markup: string }
function raw(markup: string): Raw {
  return { markup }
}

/** Markup in which every inserted value is text, unless it says that it is markup. */
function html(parts: TemplateStringsArray, ...values: readonly (string | number | Raw)[]): string {
  return parts.reduce((all, text, i) => {
    const value = values[i - 1]!
    return all + (typeof value === 'object' ? value.markup : escape(String(value))) + text
  })
}

export function escape(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`)
}
