import * as fs from 'node:fs'
import { dirname, join } from 'node:path'
import { printed, ROOT, shell } from './shell.ts'

/**
 * A stand-in for `node:26-slim`, for machines that cannot pull it: this machine's Debian release at its smallest, with the Node that the lockfile
 * pins, this machine's npm and how it reaches its registry, and the user `node`. What a build does on it, it does on the real one; sizes and Debian
 * packages are its own.
 *
 * @param folder Where its root is made, and kept for the next run.
 */
export async function makeBase(folder: string, env: NodeJS.ProcessEnv): Promise<void> {
  const root = join(folder, 'base')
  // Made anew, it would be another image, and no layer of an earlier build could be used again.
  if (fs.existsSync(root) && (await shell('buildah inspect --type image localhost/node:26-slim', { env })).status === 0) return
  if (!fs.existsSync(join(root, 'usr/local/bin/npm'))) {
    const draft = `${root}.new`
    // A run that was killed may have left the machine's own /proc mounted there.
    await shell(`umount ${draft}/proc ${draft}/sys`, { env })
    if (fs.readFileSync('/proc/mounts', 'utf8').includes(` ${draft}/`)) throw new Error(`something is still mounted below ${draft}`)
    for (const folder of [root, draft]) fs.rmSync(folder, { recursive: true, force: true })
    const { status, output } = await shell(`debootstrap --variant=minbase --include=ca-certificates,libatomic1 ${release()} ${draft} ${mirror()}`, { env, timeoutMs: 600_000 })
    if (status !== 0) throw new Error(`debootstrap ended with ${status}: ${output.slice(-500)}`)
    for (const cache of ['var/cache/apt', 'var/lib/apt/lists', 'usr/share/doc', 'usr/share/man', 'usr/share/locale']) {
      for (const name of fs.readdirSync(join(draft, cache))) fs.rmSync(join(draft, cache, name), { recursive: true })
    }
    fs.writeFileSync(join(draft, 'etc/passwd'), 'node:x:1000:1000::/home/node:/bin/bash\n', { flag: 'a' })
    fs.writeFileSync(join(draft, 'etc/group'), 'node:x:1000:\n', { flag: 'a' })
    fs.mkdirSync(join(draft, 'home/node'))
    fs.chownSync(join(draft, 'home/node'), 1000, 1000)
    fs.copyFileSync(fs.realpathSync(join(ROOT, 'node_modules/.bin/node')), join(draft, 'usr/local/bin/node'))
    const npm = join(draft, 'usr/local/lib/node_modules/npm')
    fs.cpSync(join(dirname(fs.realpathSync(printed('sh', '-c', 'command -v npm'))), '..'), npm, { recursive: true })
    fs.mkdirSync(join(draft, 'usr/local/etc'), { recursive: true })
    fs.writeFileSync(join(draft, 'usr/local/etc/npmrc'), `registry=${printed('npm', 'config', 'get', 'registry')}\ncafile=/etc/ssl/certs/ca-certificates.crt\nupdate-notifier=false\n`)
    const certificates = '/etc/ssl/certs/ca-certificates.crt'
    if (fs.existsSync(certificates)) fs.copyFileSync(certificates, join(draft, certificates))
    fs.symlinkSync('../lib/node_modules/npm/bin/npm-cli.js', join(draft, 'usr/local/bin/npm'))
    fs.mkdirSync(dirname(root), { recursive: true })
    fs.renameSync(draft, root)
  }
  const { status, output } = await shell(
    `set -e; c=$(buildah from scratch); buildah copy --quiet "$c" ${root} /; buildah config --cmd node --env PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin "$c"; buildah commit --quiet --rm "$c" localhost/node:26-slim`,
    { env },
  )
  if (status !== 0) throw new Error(`buildah ended with ${status}: ${output.slice(-500)}`)
}

function release(): string {
  return /^VERSION_CODENAME=(\w+)$/m.exec(fs.readFileSync('/etc/os-release', 'utf8'))?.[1] ?? 'stable'
}

/** From where this machine has its own Debian packages. */
function mirror(): string {
  const targets = printed('apt-get', 'indextargets', '--format', '$(RELEASE) $(COMPONENT) $(REPO_URI)').split('\n').map((line) => line.split(' '))
  return targets.find(([name, component]) => name === release() && component === 'main')?.[2] ?? ''
}
