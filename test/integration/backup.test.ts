import assert from 'node:assert/strict'
import { cpSync, existsSync, mkdirSync, readFileSync, readdirSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { after, test } from 'node:test'
import { startEmbedded } from '#adapters/postgres/embedded.ts'
import { recordGeneration } from '#adapters/postgres/generations.ts'
import { migrate, readMigrations } from '#adapters/postgres/migrate.ts'
import { backupFolder, on } from '#test/backups.ts'
import { contentsOf } from '#test/fill-database.ts'
import { generationRow } from '#test/generation-row.ts'
import { query } from '#test/postgres.ts'

const { folder, outside, backups, keep, fill, dataFolder, remove, ops } = backupFolder()
after(remove)
/** Everything below a folder, with what stands in it. */
const listed = (below: string) => readdirSync(below, { recursive: true, withFileTypes: true }).map((each) => `${each.parentPath}/${each.name} ${each.isFile() ? readFileSync(join(each.parentPath, each.name), 'utf8') : ''}`).toSorted()

test('the embedded database is backed up while it runs, and comes back in another data folder, verified', async () => {
  const data = dataFolder('embedded')
  const server = await startEmbedded({ dataDir: data, portPreferred: 0, isThrowaway: true })
  try {
    await fill(server.url)
    cpSync(join(outside, 'ledger'), join(data, 'ledger'), { recursive: true })
    const file = join(backups, 'embedded.acgs')

    // Of a server that a product holds: borrowed, and left running. (This process holds it.)
    const dry = await ops(['backup', file, '--dry-run'], { data })
    assert.equal(dry.status, 0, dry.said)
    assert.match(dry.text, /would write .*12 ledger entries of the embedded one in .*, PostgreSQL 18\.\d+, as an export of ours/)
    assert.equal(existsSync(file), false)
    const made = await ops(['backup', file, '--json'], { data })
    assert.equal(made.status, 0, made.said)
    assert.deepEqual([made.json().entries, made.json().format, made.json().embedded], [12, 'export', true])
    assert.equal(statSync(file).mode & 0o777, 0o600)
    assert.equal(readFileSync(`${file}.sha256`, 'utf8'), `${made.json().sha256}  embedded.acgs\n`)
    assert.deepEqual(readdirSync(backups).toSorted(), ['embedded.acgs', 'embedded.acgs.sha256'])

    // Odd places for one: a line that says what to do, and nothing is there that was not there before.
    const odd = join(folder, 'odd')
    mkdirSync(join(odd, 'link-to'), { recursive: true })
    writeFileSync(join(odd, 'file'), 'kept')
    writeFileSync(join(odd, 'left.acgs.sha256'), 'of another')
    symlinkSync(join(odd, 'nothing'), join(odd, 'lost'))
    symlinkSync(join(odd, 'file'), join(odd, 'link'))
    const before = listed(odd)
    for (const [target, said] of [
      [file, /embedded\.acgs` is there already: name another file$/],
      [relative(process.cwd(), file), /embedded\.acgs` is there already: name another file$/],
      [odd, /odd` is a folder: name a file in it$/],
      [join(odd, 'new/'), /` names a folder: name a file in it$/],
      ['', /` names a folder: name a file in it$/],
      ['/dev/null', /`\/dev\/null` is no file, but a device, a pipe or a socket: name a file$/],
      [join(odd, 'lost'), /lost` is a link that leads nowhere: name another file$/],
      [join(odd, 'link'), /link` is there already: name another file$/],
      [join(odd, 'file', 'below'), /its path leads through a file: name another place$/],
      [join(odd, 'left.acgs'), /left\.acgs\.sha256` is there already: name another file$/],
      [join(odd, 'n'.repeat(250)), /the name is too long, with what is added to it: name it shorter$/],
      ['/proc/self/backup', /cannot write `\/proc\/self\/backup`: it cannot be there \(ENOENT\): name another place$/],
    ] as const) {
      const refused = await ops(['backup', target, '--quiet'], { data })
      assert.deepEqual([refused.status, refused.text, refused.said.trim().split('\n').length], [2, '', 1], `${target}: ${refused.said}`)
      assert.match(refused.said.trim(), said)
      assert.deepEqual(listed(odd), before, target)
    }
    assert.deepEqual(readdirSync(backups).toSorted(), ['embedded.acgs', 'embedded.acgs.sha256'])
    const within = relative(process.cwd(), join(folder, 'made', 'for', 'it.acgs'))
    const relatively = await ops(['backup', within, '--json'], { data })
    assert.deepEqual([relatively.status, relatively.json().file], [0, join(folder, 'made', 'for', 'it.acgs')], 'a folder that is not there is made; a relative path is of where one stands')
    assert.deepEqual(readdirSync(join(folder, 'made', 'for')).toSorted(), ['it.acgs', 'it.acgs.sha256'])

    const verified = await ops(['verify', file, '--json'], { data })
    assert.equal(verified.status, 0, verified.said + verified.text)
    assert.deepEqual([verified.json().valid, verified.json().entries, verified.json().behind], [true, 12, 0])
    assert.deepEqual(await query(server.url, `select datname from pg_database where datname like 'acgs_scratch%'`), [], 'the scratch database is gone')

    const full = await ops(['restore', file], { data })
    assert.equal(full.status, 3)
    assert.match(full.said, /the database is not empty \(.*nothing was changed/)

    const keyless = await ops(['restore', file], { data: join(folder, 'keyless') })
    assert.equal(keyless.status, 0, keyless.said)
    assert.match(keyless.text, /before it is started, copy `keys`, `ledger` and `decision-point` .* into .*keyless: a start without them makes new keys/)
    const there = await on(server.url, contentsOf)
    const target = dataFolder('embedded-new')
    const tried = await ops(['restore', file, '--dry-run'], { data: target })
    assert.deepEqual([tried.status, existsSync(join(target, 'postgres'))], [0, false], tried.said)
    const restored = await ops(['restore', file, '--json'], { data: target })
    assert.equal(restored.status, 0, restored.said + restored.text)
    assert.doesNotMatch(restored.text, /before it is started/)
    assert.deepEqual([restored.json().valid, restored.json().entries, restored.json().compared.length], [true, 12, 1])
    const back = await startEmbedded({ dataDir: target, portPreferred: 0, isThrowaway: true })
    try {
      assert.deepEqual(await on(back.url, contentsOf), there)
    } finally {
      await back.stop()
    }

    // Two acts later, the backup is an older one: it is valid for what it is, and no restore takes it for today's.
    await on(server.url, async (db) => {
      for (const n of [20, 21]) await db.transaction((tx) => recordGeneration(tx, generationRow(n)))
      await keep(db)
    })
    cpSync(join(outside, 'ledger'), join(data, 'ledger'), { recursive: true })
    const old = await ops(['verify', file, '--json'], { data })
    assert.deepEqual([old.status, old.json().behind], [0, 2], old.said)
    const late = dataFolder('embedded-late')
    const refused = await ops(['restore', file, '--json'], { data: late })
    assert.equal(refused.status, 3, refused.said + refused.text)
    assert.deepEqual([refused.json().valid, refused.json().behind], [false, 2])
    assert.match(refused.json().problems[0].message, /14 entries are known from elsewhere and only 12 are here/)
    const accepted = await ops(['restore', file, '--accept-older'], { data: late })
    assert.equal(accepted.status, 0, accepted.said + accepted.text)
    assert.match(accepted.text, /known from elsewhere and lost: 2 entries/)

    // A ledger of another history than today's is no backup of it, though it is valid by itself.
    const foreign = dataFolder('foreign')
    const elsewhere = await startEmbedded({ dataDir: foreign, portPreferred: 0, isThrowaway: true })
    try {
      await on(elsewhere.url, async (db) => {
        await migrate(db, readMigrations('migrations'))
        for (const n of [31, 32, 33]) await db.transaction((tx) => recordGeneration(tx, generationRow(n)))
      })
      assert.equal((await ops(['export', join(backups, 'foreign.acgs')], { data: foreign })).status, 0)
    } finally {
      await elsewhere.stop()
    }
    // Where there is no data folder, none is left behind.
    const nowhere = join(folder, 'nowhere')
    assert.equal((await ops(['verify', join(backups, 'foreign.acgs')], { data: nowhere })).status, 0)
    assert.equal(existsSync(nowhere), false)
    const other = await ops(['verify', join(backups, 'foreign.acgs'), '--json'], { data })
    assert.equal(other.status, 3, other.said)
    assert.match(other.json().problems[0].message, /are not those that are known from elsewhere/)
  } finally {
    await server.stop()
  }
})

test('what is no whole backup is refused with what to do, and leaves the database empty', async () => {
  const whole = join(backups, 'embedded.acgs')
  const cut = join(folder, 'cut.acgs')
  writeFileSync(cut, readFileSync(whole).subarray(0, 2_000))
  const text = join(folder, 'text')
  writeFileSync(text, 'hello')
  const changed = join(folder, 'changed.acgs')
  writeFileSync(changed, readFileSync(whole))
  writeFileSync(`${changed}.sha256`, `${'0'.repeat(64)}  changed.acgs\n`)
  const plain = join(folder, 'cut.sql')
  writeFileSync(plain, '--\n-- PostgreSQL database dump\n--\ncreate table t (x int);\n')
  for (const [file, because] of [[cut, /was cut off/], [text, /no backup/], [changed, /its digest is not the one/], [plain, /was cut off/], [join(folder, 'nowhere'), /no such file/], [folder, /it is a folder/]] as const) {
    const refused = await ops([file === cut ? 'verify' : 'restore', file], { data: join(folder, 'none') })
    assert.equal(refused.status, 2, `${file}: ${refused.said}`)
    assert.match(refused.said, because)
  }
  assert.equal(existsSync(join(folder, 'none')), false, 'no database was made for it')
  mkdirSync(`${cut}.sha256`)
  const closed = await ops(['verify', cut], { data: join(folder, 'none') })
  assert.deepEqual([closed.status, /cannot read `.*cut\.acgs\.sha256`: it is a folder/.test(closed.said)], [2, true], closed.said)
  for (const command of ['backup', 'export']) {
    const dash = await ops([command, '-'], { data: join(folder, 'none') })
    assert.deepEqual([dash.status, /not written to standard output: name a file/.test(dash.said)], [2, true], dash.said)
  }
  const missing = await ops(['backup', join(backups, 'x')], { data: join(folder, 'none') })
  assert.deepEqual([missing.status, /there is no database in/.test(missing.said)], [2, true])
})
