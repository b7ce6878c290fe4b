import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { Deployment, StatefulSet } from 'kubernetes-models/apps/v1'
import { Job } from 'kubernetes-models/batch/v1'
import { NetworkPolicy } from 'kubernetes-models/networking.k8s.io/v1'
import { PodDisruptionBudget } from 'kubernetes-models/policy/v1'
import { ConfigMap, Service } from 'kubernetes-models/v1'
import { parse, parseAllDocuments } from 'yaml'
import { readConfig, type ProcessName } from '#config'
import { getLivez, getReadyz, getStartupz } from '#http/health.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const base = join(root, 'deploy/kubernetes/base')
const text = (file: string) => readFileSync(join(base, file), 'utf8')
const { resources, images } = parse(text('kustomization.yaml')) as { resources: string[]; images: { name: string; newTag: string }[] }
/** Any manifest, read as what it is in the test that looks at it. */
type Manifest = { kind: string; apiVersion: string; metadata: { name: string; labels?: Record<string, string> } }
const manifests = resources.flatMap((file) => parseAllDocuments(text(file)).map((document) => document.toJS() as Manifest))

const PROCESSES = ['auth', 'synthesis', 'compliance', 'platform'] as const
/** Each kind, with the module that says what it is. */
const MODELS = {
  Deployment: ['apps/v1', Deployment], StatefulSet: ['apps/v1', StatefulSet], Job: ['batch/v1', Job], NetworkPolicy: ['networking.k8s.io/v1', NetworkPolicy],
  PodDisruptionBudget: ['policy/v1', PodDisruptionBudget], ConfigMap: ['v1', ConfigMap], Service: ['v1', Service],
} as const
const modelOf = (kind: string) => (kind in MODELS ? MODELS[kind as keyof typeof MODELS] : assert.fail(`no model for ${kind}`))

const ofKind = <T>(...kinds: string[]) => manifests.filter(({ kind }) => kinds.includes(kind)) as (Manifest & T)[]
type Container = {
  name: string; image: string; args: string[]; envFrom: { configMapRef?: { name: string }; secretRef?: { name: string } }[]
  ports?: { name: string; containerPort: number }[]; volumeMounts?: { name: string; mountPath: string; readOnly?: boolean }[]
  securityContext: unknown; resources: { limits: { memory: string }; requests: { memory: string; cpu: string } }
} & Partial<Record<'startupProbe' | 'livenessProbe' | 'readinessProbe', { httpGet: { path: string; port: string } }>>
type Volume = { name: string; emptyDir?: unknown; secret?: { secretName: string; defaultMode: number; items: { key: string; path: string }[] }; configMap?: { name: string; items: { key: string; path: string }[] } }
type Pod = { enableServiceLinks: boolean; automountServiceAccountToken: boolean; terminationGracePeriodSeconds: number; securityContext: Record<string, unknown>; containers: [Container]; volumes?: Volume[] }
type Workload = { spec: { replicas?: number; selector?: { matchLabels: Record<string, string> }; template: { metadata: { labels: Record<string, string> }; spec: Pod } } }
const workloads = ofKind<Workload>('Deployment', 'StatefulSet')
const jobs = ofKind<Workload>('Job')
const workloadOf = (name: string) => workloads.find(({ metadata }) => metadata.name === `acgs-${name}`)?.spec.template.spec ?? assert.fail(name)

/** The secrets that `npm run secrets` makes, as the operations page hands them to the cluster. */
const home = mkdtempSync(join(tmpdir(), 'acgs-kubernetes-'))
after(() => rmSync(home, { recursive: true, force: true }))
assert.equal(spawnSync(process.execPath, ['--disable-warning=ExperimentalWarning', join(root, 'deploy/secrets.ts'), join(home, 'secrets')]).status, 0)
const commands = [...readFileSync(join(root, 'docs/operations/deploy-kubernetes.md'), 'utf8').matchAll(/^ *(?:\$ )?kubectl create (secret generic|configmap) (\S+) (.*)$/gm)]
const existing = new Map(commands.map(([, kind, name, flags]) => {
  const entries: [string, string][] = [...(flags ?? '').matchAll(/--from-(env-file|file)=(\S+)/g)].flatMap(([, from, file]): [string, string][] => {
    const content = readFileSync(join(home, file as string), 'utf8')
    if (from === 'file') return [[(file as string).split('/').at(-1) as string, content]]
    return content.split('\n').filter((line) => line !== '').map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)])
  })
  return [`${kind === 'configmap' ? 'configMap' : 'secret'} ${name}`, new Map(entries)]
}))
const given = (what: string) => existing.get(what) ?? assert.fail(`${what} is not made by what the operations page says`)

const settings = ofKind<{ data: Record<string, string> }>('ConfigMap')[0]?.data ?? assert.fail('no settings')
const image = Object.fromEntries([...readFileSync(join(root, 'Dockerfile'), 'utf8').matchAll(/^(?:ENV| {4}) *(\w+)=(\S+)/gm)].map(([, name, value]) => [name as string, value as string]))
function environmentOf({ containers: [container] }: Pod): Record<string, string> {
  return Object.assign({}, image, ...container.envFrom.map(({ configMapRef, secretRef }) => {
    if (configMapRef !== undefined) return configMapRef.name === 'acgs-settings' ? settings : assert.fail(configMapRef.name)
    return Object.fromEntries(given(`secret ${secretRef?.name}`))
  })) as Record<string, string>
}
const configOf = (pod: Pod) => readConfig({ env: environmentOf(pod), process: pod.containers[0].args[1] as ProcessName })

test('every file of the base is one of its resources, and the version is that of the product', () => {
  assert.deepEqual(resources.toSorted(), readdirSync(base).filter((name) => name !== 'kustomization.yaml').toSorted())
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string }
  assert.deepEqual(images, [{ name: 'acgs-pgp-v8', newTag: version }])
})

test('every manifest is what the API takes: no value is of another kind, no field is unknown or missing', () => {
  for (const manifest of manifests) {
    const [, Model] = modelOf(manifest.kind)
    const { apiVersion: _, kind: __, ...content } = manifest
    new Model(content as never).validate()
  }
  assert.equal(complaintsOfTypes(manifests), '')
})

test('a misspelt, an unknown and a missing field, and a value of another kind, are found', () => {
  const deployment = JSON.stringify(manifests.find(({ kind }) => kind === 'Deployment'))
  for (const [from, to, said] of [
    ['"readinessProbe"', '"readinesProbe"', /readinesProbe/], ['"replicas":2', '"replicas":2,"replica":1', /replica/],
    ['"selector":{"matchLabels":{"app.kubernetes.io/name":"acgs-auth"}},"template"', '"template"', /selector/], ['"containerPort":8000', '"containerPort":"8000"', /string/],
  ] as const) {
    assert.ok(deployment.includes(from), from)
    assert.match(complaintsOfTypes([JSON.parse(deployment.replace(from, to)) as Manifest]), said)
  }
})

test('there is a workload, a service and a disruption budget for each process, and their labels agree', () => {
  for (const name of PROCESSES) {
    const label = { 'app.kubernetes.io/name': `acgs-${name}` }
    const workload = workloads.find(({ metadata }) => metadata.name === `acgs-${name}`) ?? assert.fail(name)
    assert.deepEqual(workload.spec.selector?.matchLabels, label)
    assert.equal(workload.spec.template.metadata.labels['app.kubernetes.io/name'], label['app.kubernetes.io/name'])
    assert.ok((workload.spec.replicas ?? 1) >= 2)
    const service = ofKind<{ spec: { selector: object; ports: { port: number; targetPort: string }[] } }>('Service').find(({ metadata }) => metadata.name === `acgs-${name}`)
    assert.deepEqual(service?.spec.selector, label)
    const config = configOf(workload.spec.template.spec)
    assert.deepEqual(service?.spec.ports, [{ name: 'http', port: config.services[`${name}Port`], targetPort: 'http' }])
    for (const peer of PROCESSES) assert.equal(config.services[`${peer}Url`], `http://acgs-${peer}:${config.services[`${peer}Port`]}`)
    const budget = ofKind<{ spec: { maxUnavailable: number; selector: { matchLabels: object } } }>('PodDisruptionBudget').find(({ metadata }) => metadata.name === `acgs-${name}`)
    assert.deepEqual(budget?.spec, { maxUnavailable: 1, selector: { matchLabels: label } })
  }
  // Forgetting the highest revision would let an old one be loaded: what compliance keeps outlives its pods.
  assert.equal(workloads.find(({ metadata }) => metadata.name === 'acgs-compliance')?.kind, 'StatefulSet')
})

test('each process is configured completely, with its own secrets and nobody else’s', () => {
  for (const name of PROCESSES) {
    const pod = workloadOf(name)
    const [container] = pod.containers
    assert.deepEqual(container.args, ['serve', name])
    const config = configOf(pod)
    assert.deepEqual([config.service.environment, config.service.host], ['production', '0.0.0.0'])
    for (const file of [config.security.signingKeyFile, config.security.serviceAccountsFile, config.security.certificateKeyFile, config.security.peerKeyFile]) if (file !== null) assert.ok(seenIn(pod, file), `${name}: ${file}`)
    for (const { secret, configMap } of pod.volumes ?? []) {
      if (secret !== undefined) {
        assert.equal(secret.secretName, `acgs-${name}-keys`)
        assert.equal(secret.defaultMode, 0o440)
        assert.deepEqual(secret.items.map(({ key }) => key).toSorted(), [...given(`secret ${secret.secretName}`).keys()].toSorted(), 'all of the secret is used')
      }
      if (configMap !== undefined) for (const { key } of configMap.items) assert.ok(given(`configMap ${configMap.name}`).has(key))
    }
    for (const { secretRef } of container.envFrom) if (secretRef !== undefined) assert.equal(secretRef.name, `acgs-${name}-env`)
  }
  assert.ok(seenIn(workloadOf('platform'), '/data/keys/certificate.jwks.json'), 'the platform knows whose certificates count')
  const thief = structuredClone(workloadOf('synthesis'))
  thief.containers[0].envFrom.push({ secretRef: { name: 'acgs-auth-env' } })
  assert.throws(() => configOf(thief), /must not be given to synthesis/)
})

test('probes ask for what is served, at the port that is listened on', () => {
  for (const name of PROCESSES) {
    const pod = workloadOf(name)
    const [container] = pod.containers
    assert.deepEqual(container.ports, [{ name: 'http', containerPort: configOf(pod).services[`${name}Port`] }])
    assert.deepEqual([container.startupProbe, container.livenessProbe, container.readinessProbe].map((probe) => probe?.httpGet), [getStartupz, getLivez, getReadyz].map(({ path }) => ({ path, port: 'http' })))
    const { drainSeconds, shutdownSeconds } = configOf(pod).service
    assert.ok(pod.terminationGracePeriodSeconds > drainSeconds + shutdownSeconds, 'it may end in its own time')
  }
})

test('nothing runs as root, changes its file system, gains a right or speaks to the cluster', () => {
  for (const { metadata, spec: { template: { spec: pod } } } of [...workloads, ...jobs]) {
    const { runAsNonRoot, runAsUser, seccompProfile } = pod.securityContext
    assert.deepEqual({ runAsNonRoot, runAsUser, seccompProfile }, { runAsNonRoot: true, runAsUser: 1000, seccompProfile: { type: 'RuntimeDefault' } }, metadata.name)
    assert.deepEqual(pod.containers.map(({ securityContext }) => securityContext), [{ allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: { drop: ['ALL'] } }])
    assert.deepEqual([pod.enableServiceLinks, pod.automountServiceAccountToken], [false, false], metadata.name)
    assert.ok(pod.containers.every(({ resources, image: name }) => name === 'acgs-pgp-v8' && resources.limits.memory !== '' && resources.requests.cpu !== ''))
  }
  // What service links would add is refused, so that leaving them on would be found at the first start.
  assert.throws(() => readConfig({ env: { ACGS_AUTH_SERVICE_HOST: '10.0.0.1' } }), /ACGS_AUTH_SERVICE_HOST/)
})

test('the database is migrated by a job for each of its parts, with the role that owns it', () => {
  assert.deepEqual(jobs.map(({ spec }) => spec.template.spec.containers[0].args), [['migrate', 'auth'], ['migrate', 'platform']])
  for (const { spec } of jobs) assert.ok(configOf(spec.template.spec).database.url?.includes(`acgs_${spec.template.spec.containers[0].args[1]}:`))
})

type Peer = { podSelector?: { matchLabels?: Record<string, string>; matchExpressions?: { values: string[] }[] } }
type Policy = { spec: { podSelector: Peer['podSelector']; policyTypes: string[]; ingress?: { from: Peer[] }[]; egress?: { to?: Peer[]; ports: { port: number }[] }[] } }
const policies = ofKind<Policy>('NetworkPolicy')
const named = (peer: Peer) => [...Object.values(peer.podSelector?.matchLabels ?? {}), ...(peer.podSelector?.matchExpressions ?? []).flatMap(({ values }) => values)].map((name) => name.replace('acgs-', ''))

test('who may speak to whom is what the processes call, and nothing is open otherwise', () => {
  const policyOf = (name: string) => policies.find(({ metadata }) => metadata.name === `acgs-${name}`)?.spec ?? assert.fail(name)
  const asks: Readonly<Record<string, readonly string[]>> = Object.fromEntries(PROCESSES.map((name) => [name, (policyOf(name).egress ?? []).flatMap(({ to }) => (to ?? []).flatMap(named)).toSorted()]))
  assert.deepEqual({ ...asks }, { auth: [], synthesis: ['auth'], compliance: ['auth', 'platform'], platform: ['auth', 'compliance', 'synthesis'] })
  for (const name of PROCESSES) {
    const askedBy = (policyOf(name).ingress ?? []).flatMap(({ from }) => from.flatMap(named)).filter((each) => each !== 'true').toSorted()
    assert.deepEqual(askedBy, PROCESSES.filter((other) => asks[other]?.includes(name)).toSorted(), `${name} is asked by whoever asks it`)
    for (const { to, ports } of policyOf(name).egress ?? []) {
      const peer = to?.flatMap(named)[0]
      if (peer !== undefined) assert.deepEqual(ports, [{ port: configOf(workloadOf(name)).services[`${peer as (typeof PROCESSES)[number]}Port`] }])
    }
    const reachesDatabase = (policyOf(name).egress ?? []).some(({ to, ports }) => to === undefined && ports.some(({ port }) => port === 5432))
    assert.equal(reachesDatabase, configOf(workloadOf(name)).database.url !== null, `${name} and the database`)
  }
  const closed = policyOf('nothing-else')
  assert.deepEqual([closed.podSelector, closed.policyTypes], [{ matchLabels: { 'app.kubernetes.io/part-of': 'acgs-pgp-v8' } }, ['Ingress', 'Egress']])
  for (const { spec } of [...workloads, ...jobs]) assert.equal(spec.template.metadata.labels['app.kubernetes.io/part-of'], 'acgs-pgp-v8')
})

test('kustomize builds it, with the same manifests', { skip: spawnSync('kubectl', ['version', '--client']).status === 0 ? false : '`kubectl` is not installed' }, () => {
  const { status, stdout, stderr } = spawnSync('kubectl', ['kustomize', base], { encoding: 'utf8' })
  assert.equal(status, 0, stderr)
  const built = parseAllDocuments(stdout).map((document) => document.toJS() as Manifest)
  const ids = (all: Manifest[]) => all.map(({ kind, metadata }) => `${kind} ${metadata.name}`).toSorted()
  assert.deepEqual(ids(built), ids(manifests))
  assert.ok(JSON.stringify(built).includes(`"image":"acgs-pgp-v8:${images[0]?.newTag}"`))
  assert.equal(JSON.stringify(built).match(/"defaultMode":(\d+)/)?.[1], String(0o440))
})

/** Whether a container finds a file of an existing secret or configuration at a path. */
function seenIn(pod: Pod, path: string): boolean {
  const mounts = (pod.containers[0].volumeMounts ?? []).filter(({ mountPath }) => path.startsWith(`${mountPath}/`)).toSorted((a, b) => b.mountPath.length - a.mountPath.length)
  const volume = pod.volumes?.find(({ name }) => name === mounts[0]?.name)
  const items = volume?.secret?.items ?? volume?.configMap?.items ?? []
  return items.some((item) => item.path === path.slice((mounts[0]?.mountPath.length ?? 0) + 1))
}

/** What the type checker has against manifests, each written as a literal of its type: it also finds fields that no type has. */
function complaintsOfTypes(checked: readonly Manifest[]): string {
  const folder = mkdtempSync(join(root, 'node_modules', '.manifests-'))
  try {
    const lines = checked.map((manifest, i) => `import type { I${manifest.kind} as T${i} } from 'kubernetes-models/${modelOf(manifest.kind)[0]}'\nexport const m${i}: T${i} = ${JSON.stringify(manifest)}`)
    writeFileSync(join(folder, 'manifests.ts'), lines.join('\n'))
    writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions: { module: 'nodenext', target: 'es2024', noEmit: true, strict: true, skipLibCheck: true, types: [] }, files: ['manifests.ts'] }))
    assert.ok(existsSync(join(root, 'node_modules/.bin/tsc')))
    return spawnSync(join(root, 'node_modules/.bin/tsc'), ['-p', folder, '--pretty', 'false'], { encoding: 'utf8' }).stdout
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
