import { spawn, spawnSync } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createConnection } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { freePorts } from '#test/product.ts'

/** What is behind one balancer: for each place, where the ports of its products are; they are asked in turn. */
export type Behind = Readonly<Record<Side, readonly Readonly<Record<Front, number>>[]>>
/** Two places, of which one is asked. */
export type Side = 'a' | 'b'
/** What clients ask: each has an address of its own. */
export type Front = 'platform' | 'auth' | 'compliance'
export const FRONTS = ['platform', 'auth', 'compliance'] as const

/** nginx in front of two products: clients see one address for each process, whichever product is behind it. */
export type Balancer = {
  readonly url: Readonly<Record<Front, string>>
  /** From now on every new request goes there; or those to some processes alone, which needs the switch to be files. */
  readonly pointTo: (side: Side, fronts?: readonly Front[]) => void
  /** What it complained about. */
  readonly errors: () => string
} & AsyncDisposable

/** Why there is no balancer here; null when there is one. */
export function noBalancer(): string | null {
  return spawnSync('nginx', ['-v']).status === 0 ? null : 'nginx is not installed (Debian package nginx)'
}

export async function startBalancer(behind: Behind, how: 'file' | 'reload'): Promise<Balancer> {
  const folder = mkdtempSync(join(tmpdir(), 'acgs-balancer-'))
  chmodSync(folder, 0o755) // Its workers drop root, and look for the switch.
  for (const name of ['logs', 'temp']) mkdirSync(join(folder, name))
  const ports = await freePorts(FRONTS.length)
  const url = Object.fromEntries(FRONTS.map((front, at) => [front, `http://127.0.0.1:${ports[at]}`])) as Record<Front, string>
  const file = join(folder, 'nginx.conf')
  const switches = (front: Front) => join(folder, `${front}-to-b`)
  const write = (side: Side) => writeFileSync(file, configuration({ folder, behind, ports, side, switches: how === 'file' ? switches : null }))
  write('a')

  const nginx = ['-p', folder, '-c', file, '-e', join(folder, 'logs', 'error')]
  // The shell ends it when this process is gone, however that came about: nothing is left running.
  const shell = spawn('sh', ['-c', 'nginx "$@" > logs/said 2>&1 & read -r _; kill -QUIT $! 2> /dev/null; wait', 'sh', ...nginx], { cwd: folder, stdio: ['pipe', 'ignore', 'inherit'] })
  const ended = new Promise<void>((resolve) => shell.once('exit', () => resolve()))
  for (const deadline = Date.now() + 20_000; !(await listens(ports[0] as number)); await sleep(20)) {
    if (Date.now() < deadline) continue
    shell.stdin.end()
    throw new Error(`nginx did not start within 20 s: ${read(join(folder, 'logs', 'said'))}${read(join(folder, 'logs', 'error'))}`)
  }
  return {
    url,
    pointTo: (side, fronts = FRONTS) => {
      if (how === 'file') {
        for (const front of fronts) {
          if (side === 'b') writeFileSync(switches(front), '')
          else rmSync(switches(front), { force: true })
        }
        return
      }
      write(side)
      const { status, stderr } = spawnSync('nginx', [...nginx, '-s', 'reload'], { encoding: 'utf8' })
      if (status !== 0) throw new Error(`nginx refuses its configuration: ${stderr}`)
    },
    errors: () => read(join(folder, 'logs', 'error')),
    [Symbol.asyncDispose]: async () => {
      shell.stdin.end()
      await ended
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

/**
 * docs/operations/rolling-update.md has the same for an operator. A request that fails is passed on to the client as it is, never to the other
 * product: what this balancer would hide is what is looked for.
 */
function configuration({ folder, behind, ports, side, switches }: { folder: string; behind: Behind; ports: readonly number[]; side: Side; switches: ((front: Front) => string) | null }): string {
  const upstreams = FRONTS.flatMap((front) => (['a', 'b'] as const).map((each) => `  upstream ${front}_${each} { ${behind[each].map((ports) => `server 127.0.0.1:${ports[front]};`).join(' ')} keepalive 64; keepalive_timeout 60s; }`))
  const servers = FRONTS.map((front, at) => `  server {
    listen 127.0.0.1:${ports[at]};
    location / {
      set $to ${front}_${side};
${switches === null ? '' : `      if (-f ${switches(front)}) { set $to ${front}_b; }\n`}      proxy_pass http://$to;
    }
  }`)
  return `daemon off;
worker_processes 2;
pid ${folder}/pid;
events { worker_connections 2048; }
http {
  access_log off;
  client_body_temp_path ${folder}/temp/body; proxy_temp_path ${folder}/temp/proxy; fastcgi_temp_path ${folder}/temp/f; uwsgi_temp_path ${folder}/temp/u; scgi_temp_path ${folder}/temp/s;
  client_max_body_size 64m;
  keepalive_requests 100000;
  proxy_http_version 1.1;
  proxy_set_header Connection "";
  proxy_set_header Host $http_host;
  proxy_set_header X-Forwarded-For $remote_addr;
  proxy_read_timeout 75s;
  proxy_buffering off;
  proxy_next_upstream off;
${upstreams.join('\n')}
${servers.join('\n')}
}
`
}

/** By the port alone: a request would be passed on to what may not run yet. */
async function listens(port: number): Promise<boolean> {
  const socket = createConnection({ host: '127.0.0.1', port })
  return new Promise((resolve) => {
    socket.once('connect', () => resolve(true))
    socket.once('error', () => resolve(false))
  }).finally(() => socket.destroy()) as Promise<boolean>
}

function read(file: string): string {
  return existsSync(file) ? readFileSync(file, 'utf8') : ''
}
