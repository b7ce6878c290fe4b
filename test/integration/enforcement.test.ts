import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { after, before } from 'node:test'
import { fileURLToPath } from 'node:url'
import { startProduct, type Product } from '#test/product.ts'
import { guard } from '../../examples/enforce-agent/guard.ts'
import { decisionPoint, enforce, type Ask, type Question } from '../../examples/authzen.ts'

/** The two enforcement points of `examples/`, run as their READMEs say: in front of a service, and between an agent and its tools. */
const EXAMPLES = fileURLToPath(new URL('../../examples', import.meta.url))
const scratch = mkdtempSync(join(tmpdir(), 'acgs-enforcement-'))
let product: Product
/** What the READMEs set for the embedded default, with this product's folder and ports. */
const env = () => ({
  PGC_SERVICE_URL: product.url.compliance, AUTH_SERVICE_URL: product.url.auth,
  ACGS_CLIENT_KEY_FILE: join(product.dataFolder, 'keys', 'client-acgs-service.jwk.json'),
})

before(async () => {
  product = await startProduct()
  const response = await fetch(`${product.url.platform}/api/v1/generate-policy`, {
    method: 'POST', headers: { authorization: `Bearer ${await product.token('author')}`, 'content-type': 'application/json' }, body: readFileSync(join(EXAMPLES, 'enforce.json')),
  })
  const { certificate } = (await response.json()) as { certificate: { id: string } }
  for (const args of [['propose', 'ai-agents', '--add', certificate.id], ['approve', 'ai-agents', '1'], ['activate', 'ai-agents', '1']]) {
    const { status, stdout, stderr } = await product.acgs('revision', ...args)
    assert.equal(status, 0, stdout + stderr)
  }
  const probe = ['evaluate', 'ai-agents', '--min-revision', '1', '--subject', 'User::ugo', '--action', 'readFile', '--resource', 'File::plan']
  for (let left = 20; left > 0 && (await product.acgs(...probe)).status !== 0; left--) await new Promise((resolve) => setTimeout(resolve, 200))
})
after(async () => {
  await product[Symbol.asyncDispose]()
  rmSync(scratch, { recursive: true, force: true })
})

/** The service of the first example, on a port of its own. */
async function startFiles(more: { readonly [name: string]: string }) {
  const log = join(scratch, `${randomUUID()}.log`)
  const child = spawn(process.execPath, [join(EXAMPLES, 'enforce-http', 'server.ts')], { env: { PATH: process.env['PATH'], PORT: '0', ACCESS_LOG: log, ...more }, stdio: ['ignore', 'pipe', 'pipe'] })
  let [printed, complained] = ['', '']
  child.stderr.on('data', (chunk: Buffer) => (complained += chunk.toString()))
  const ended = new Promise((resolve) => child.once('exit', resolve))
  const url = await new Promise<string>((resolve, reject) => {
    child.once('exit', (code) => reject(new Error(`the service ended with ${code}: ${complained}`)))
    child.stdout.on('data', (chunk: Buffer) => {
      const found = /http:\/\/[\d.]+:\d+/.exec((printed += chunk.toString()))
      if (found !== null) resolve(found[0])
    })
  })
  return {
    log, complained: () => complained,
    ask: async (method: string, file: string, user?: string, body?: string) => {
      const response = await fetch(`${url}/files/${file}`, { method, ...(user === undefined ? {} : { headers: { 'x-user': user } }), ...(body === undefined ? {} : { body }) })
      return [response.status, await response.text()] as const
    },
    [Symbol.asyncDispose]: async () => {
      child.kill('SIGTERM')
      await ended
    },
  }
}

/** The agent of the second example, with what a person says to it. */
async function runAgent(people: string, more: { readonly [name: string]: string }) {
  const log = join(scratch, `${randomUUID()}.log`)
  const child = spawn(process.execPath, [join(EXAMPLES, 'enforce-agent', 'agent.ts')], { env: { PATH: process.env['PATH'], ACCESS_LOG: log, ...more }, stdio: ['pipe', 'pipe', 'pipe'] })
  let [stdout, stderr] = ['', '']
  child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()))
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()))
  child.stdin.on('error', () => {}) // It may end before anybody was asked.
  child.stdin.end(people)
  const status = await new Promise((resolve) => child.once('close', resolve))
  assert.equal(status, 0, stderr)
  const results = [...stdout.matchAll(/^(\w+) (\w+) .*\n(?:  a person is asked.*\n)?  (ran|not run): (.*)$/gm)].map(([, tool, target, how, what]) => [`${tool} ${target}`, how, what])
  return { results, asked: stdout.match(/a person is asked: .*/g) ?? [], stderr, logged: logOf(log) }
}
const logOf = (file: string) => (existsSync(file) ? readFileSync(file, 'utf8').trim().split('\n').map((line) => JSON.parse(line)) : [])

test('the service lets through what is permitted, and says to people why it refuses the rest', async () => {
  await using files = await startFiles(env())
  assert.deepEqual(await files.ask('GET', 'plan', 'ugo'), [200, 'Move the office to the third floor.\n'])
  assert.deepEqual(await files.ask('GET', 'plan', 'uma'), [403, '{"reason":"No rule allows this."}\n'])
  const [status] = await files.ask('DELETE', 'plan', 'uma')
  assert.equal(status, 403)
  assert.match(files.complained(), /uma readFile plan: denied: no rule permits it/)
  // Nobody whom the decision point does not know, and nothing it does not know of.
  for (const [file, user] of [['plan', 'eve'], ['nowhere', 'ugo']] as const) assert.equal((await files.ask('GET', file, user))[0], 403, `${user} ${file}`)
  assert.deepEqual([(await files.ask('GET', 'plan'))[0], (await files.ask('GET', 'a%2Fb', 'ugo'))[0], (await files.ask('PATCH', 'plan', 'ugo'))[0]], [401, 404, 405])
  assert.equal(existsSync(files.log), false)
})

test('an obligation is carried out before the deed; one that is not known here, or fails, refuses', async () => {
  {
    await using files = await startFiles({ ...env(), ACCESS_LOG: join(scratch, 'no', 'such', 'folder') })
    assert.equal((await files.ask('DELETE', 'plan', 'ugo'))[0], 503)
    assert.match(files.complained(), /`log` could not be carried out: ENOENT/)
    assert.equal((await files.ask('GET', 'plan', 'ugo'))[0], 200)
  }
  await using files = await startFiles(env())
  assert.deepEqual(await files.ask('PUT', 'plan', 'ugo', 'changed'), [403, '{"reason":"This is allowed only if something else is done with it, and that cannot be done here."}\n'])
  assert.match(files.complained(), /ugo writeFile plan: unfulfillable: .* demands what is not known here: notify, notify owner/)
  assert.deepEqual(await files.ask('GET', 'plan', 'ugo'), [200, 'Move the office to the third floor.\n'])
  assert.equal((await files.ask('DELETE', 'plan', 'ugo'))[0], 204)
  assert.equal((await files.ask('GET', 'plan', 'ugo'))[0], 404)
  const [entry, ...others] = logOf(files.log)
  assert.deepEqual([others, entry.who, entry.does, entry.on, entry.revision], [[], { type: 'User', id: 'ugo' }, 'deleteFile', { type: 'File', id: 'plan' }, 1])
})

test('a token that is no good, or the wrong role’s, lets nothing through', async () => {
  for (const token of ['nonsense', await product.token('author')]) {
    await using files = await startFiles({ PGC_SERVICE_URL: product.url.compliance, ACGS_TOKEN: token })
    assert.equal((await files.ask('GET', 'plan', 'ugo'))[0], 503)
  }
  await using files = await startFiles({ PGC_SERVICE_URL: product.url.compliance, ACGS_TOKEN: await product.token('service') })
  assert.equal((await files.ask('GET', 'plan', 'ugo'))[0], 200)
  await assert.rejects(startFiles({}), /set ACGS_TOKEN, or ACGS_CLIENT_KEY_FILE/)
})

test('every tool call of the agent is decided; a person is asked where approval would help, and only there', async () => {
  const { results, asked, stderr, logged } = await runAgent('yes\nno\n', env())
  assert.deepEqual(results, [
    ['readFile readme', 'ran', 'Everybody may know this.'],
    ['readFile plan', 'not run', 'No rule allows this.'],
    ['sendPayment acme', 'ran', '400 euros paid to acme, 1600 left'],
    ['sendPayment acme', 'ran', '900 euros paid to acme, 700 left'],
    ['sendPayment unknown', 'not run', 'A rule forbids this.'],
    ['deleteFile plan', 'not run', 'A person was asked and did not approve this.'],
    ['sendEmail inside', 'not run', 'This is allowed only if something else is done with it, and that cannot be done here.'],
    ['formatDisk everything', 'not run', 'There is no tool `formatDisk`.'],
  ])
  // The approval that the agent claimed is not shown to the person either.
  assert.deepEqual(asked, ['a person is asked: may the agent sendPayment "acme" {"amount":900}? (yes/no)', 'a person is asked: may the agent deleteFile "plan" {}? (yes/no)'])
  assert.match(stderr, /sendPayment unknown: denied: forbidden by [0-9a-f]+\.N3 \(“No agent may send a payment to an account that is not verified\.”\)/)
  assert.match(stderr, /sendEmail inside: unfulfillable: .*notify team/)
  assert.deepEqual(logged.map(({ does, context }) => [does, context]), [['sendPayment', { amount: 400, humanApproved: false }], ['sendPayment', { amount: 900, humanApproved: true }]])
})

test('a person who says nothing has not approved, and another agent has other limits', async () => {
  const silent = await runAgent('', env())
  assert.deepEqual(silent.results.filter(([, how]) => how === 'ran').map(([call]) => call), ['readFile readme', 'sendPayment acme'])
  assert.equal(silent.asked.length, 2)
  const beta = await runAgent('yes\nno\n', { ...env(), AGENT: 'beta' }) // Its limit is 0.
  assert.deepEqual(beta.results.filter(([, how]) => how === 'ran').map(([call]) => call), ['readFile readme', 'sendPayment acme'])
  assert.equal(beta.asked.length, 3)
})

test('an agent that changes its call while a person reads it, or a yes that is none, gets nothing', async () => {
  const ask = decisionPoint(env())
  const paid: unknown[] = []
  const call = { tool: 'sendPayment', target: 'acme', arguments: { amount: 900 } }
  const make = (approve: (call: { arguments: { amount?: unknown } }) => Promise<unknown>) => guard({
    agent: 'alpha', ask, duties: { log: () => {} }, note: () => {}, approve: approve as never,
    tools: { sendPayment: { on: 'Account', takes: ['amount'], knowsApproval: true, run: (target, given) => (paid.push([target, given]), 'paid') } },
  })
  const ran = await make(async (shown) => {
    call.arguments.amount = 900_000
    call.target = 'unknown'
    shown.arguments.amount = 5
    return true
  })(call)
  assert.deepEqual([ran.ran, paid], [true, [['acme', { amount: 900 }]]])
  assert.equal((await make(async () => 'yes')({ tool: 'sendPayment', target: 'acme', arguments: { amount: 900 } })).ran, false)
  for (const amount of [undefined, 'much', 400.5, -1e300]) assert.equal((await make(async () => true)({ tool: 'sendPayment', target: 'acme', arguments: amount === undefined ? {} : { amount } })).ran, false, String(amount))
  assert.equal((await make(async () => true)({ tool: 'constructor', target: 'acme', arguments: {} })).ran, false)
  const noCalls = [null, 'sendPayment', {}, { tool: 'sendPayment', target: 'acme' }, { tool: 'sendPayment', target: 'acme', arguments: [900] }, { tool: 'sendPayment', target: 'acme', arguments: { amount: 1n } }]
  for (const none of noCalls) assert.match(JSON.stringify(await make(async () => true)(none as never)), /This is no call/)
  assert.equal(paid.length, 1)
})

const QUESTION: Question = { subject: { type: 'User', id: 'ugo' }, action: { name: 'readFile' }, resource: { type: 'File', id: 'plan' }, context: {} }
const YES = { decision: true, context: { revision: 1, verdict: 'permitted', determining: [{ rule: 'N1', sentence: null }], obligations: [] as unknown } }

/** What is let through when a decision point answers so; null: it never answers. */
async function behind(status: number, body: string | null, headers: { readonly [name: string]: string } = {}) {
  const server = createServer((_, response) => body === null ? undefined : response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(body))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  try {
    const ask = decisionPoint({ PGC_SERVICE_URL: `http://127.0.0.1:${(server.address() as { port: number }).port}`, ACGS_TOKEN: 'any' })
    return (await enforce(QUESTION, { log: () => {} }, ask)).kind
  } finally {
    server.closeAllConnections()
    server.close()
  }
}

test('what is no clear yes from the decision point is none', async () => {
  const yes = (context: object) => JSON.stringify({ ...YES, context: { ...YES.context, ...context } })
  assert.equal(await behind(200, yes({})), 'passed') // Without which the rest would show nothing.
  assert.equal(await behind(200, yes({ obligations: ['log'] })), 'passed')
  for (const obligation of ['notify', 'log owner', 'constructor', '__proto__', '']) assert.equal(await behind(200, yes({ obligations: ['log', obligation] })), 'unfulfillable', obligation)
  const unclear: [string, number, string | null, { [name: string]: string }?][] = [
    ['a yes that is a text', 200, JSON.stringify({ ...YES, decision: 'true' })],
    ['a yes without its obligations', 200, yes({ obligations: undefined })],
    ['obligations that cannot be read', 200, yes({ obligations: [{ id: 'log' }] })],
    ['a yes without a context', 200, '{"decision":true}'],
    ['a yes of no revision', 200, yes({ revision: null })],
    ['half a reply', 200, yes({}).slice(0, -3)],
    ['nothing', 200, 'null'],
    ['another status', 201, yes({})],
    ['an error', 500, yes({})],
    ['a redirect', 307, yes({}), { location: 'http://127.0.0.1:1/' }],
    ['silence', 200, null],
  ]
  for (const [name, status, body, headers] of unclear) assert.equal(await behind(status, body, headers), 'unavailable', name)
})

test('sabotage: an enforcement point that overlooks obligations, or takes silence for a yes, would be noticed', async () => {
  const permit: Ask = async () => ({ kind: 'permitted', revision: 1, rules: ['N1'], obligations: ['notify'] })
  const overlooks: typeof enforce = async (question, duties, ask) => enforce(question, duties, async (each) => ({ ...(await ask(each)), obligations: [] }) as never)
  const trusts: typeof enforce = async (question, duties, ask) => enforce(question, duties, async (each) => {
    const answer = await ask(each)
    return answer.kind === 'undecided' ? { kind: 'permitted', revision: 1, rules: [], obligations: [] } : answer
  })
  assert.deepEqual([(await overlooks(QUESTION, {}, permit)).kind, (await enforce(QUESTION, {}, permit)).kind], ['passed', 'unfulfillable'])
  const silent: Ask = async () => ({ kind: 'undecided', forOperators: '' })
  assert.deepEqual([(await trusts(QUESTION, {}, silent)).kind, (await enforce(QUESTION, {}, silent)).kind], ['passed', 'unavailable'])
})

test('without the decision point nothing is let through, and it goes on when that is back', async () => {
  await using files = await startFiles(env())
  assert.equal((await files.ask('GET', 'plan', 'ugo'))[0], 200)
  await product.kill('SIGKILL')
  for (const method of ['GET', 'DELETE']) {
    assert.deepEqual(await files.ask(method, 'plan', 'ugo'), [503, '{"reason":"It cannot be decided at present whether this is allowed, so it is not. Try again later."}\n'])
  }
  assert.equal(existsSync(files.log), false)
  const { results, asked, logged } = await runAgent('yes\nyes\nyes\n', env())
  assert.equal(results.length, 8)
  assert.deepEqual([results.filter(([, how]) => how === 'ran'), asked, logged], [[], [], []])

  // On the same ports, which is what the service knows.
  const back = spawn(join(EXAMPLES, '..', 'acgs'), ['serve', 'all'], { env: { ...process.env, DATABASE_URL: '', ...product.env }, stdio: 'ignore' })
  const ended = new Promise((resolve) => back.once('exit', resolve))
  let status = 0
  for (const until = Date.now() + 60_000; status !== 200 && Date.now() < until; await new Promise((resolve) => setTimeout(resolve, 200))) [status] = await files.ask('GET', 'plan', 'ugo')
  back.kill('SIGTERM')
  await ended
  assert.equal(status, 200)
})
