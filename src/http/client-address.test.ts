import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { clientAddress, countedAs, networksIn, type ProxyRules } from './client-address.ts'
import { importTwin } from '#test/twin.ts'

type Module = { clientAddress: typeof clientAddress }
const PROXIES = ['10.0.0.0/8', '192.0.2.7', 'fd00::/8']
const of = (said: string | undefined, { remote = '10.0.0.1', header = 'x-forwarded-for', trusted = PROXIES, module = { clientAddress } }: { remote?: string; module?: Module } & Partial<ProxyRules> = {}) =>
  module.clientAddress({ trusted, header })(remote, said === undefined ? {} : { [header]: said })

test('without a trusted proxy the address is that of the connection, whatever the request says', () => {
  for (const said of [undefined, '203.0.113.9', '10.0.0.1, 203.0.113.9']) {
    assert.equal(of(said, { remote: '198.51.100.1' }), '198.51.100.1')
    assert.equal(of(said, { trusted: [] }), '10.0.0.1')
  }
  assert.equal(of(undefined, { remote: '::ffff:198.51.100.1' }), '198.51.100.1')
  assert.equal(clientAddress({ trusted: [], header: 'forwarded' })(undefined, {}), null)
})

test('behind trusted proxies it is the first from the right who is not trusted', () => {
  assert.equal(of('203.0.113.9'), '203.0.113.9')
  assert.equal(of('203.0.113.9, 192.0.2.7, 10.2.3.4'), '203.0.113.9')
  assert.equal(of('203.0.113.9', { remote: '::ffff:10.0.0.1' }), '203.0.113.9')
  assert.equal(of('203.0.113.9:4711, [fd00::1]:80'), '203.0.113.9')
  assert.equal(of('2001:DB8::1'), '2001:db8:0:0:0:0:0:1')
  assert.equal(of('10.9.9.9, 10.8.8.8'), '10.9.9.9') // All of them are trusted: the one at the edge.
  assert.equal(of(undefined), '10.0.0.1')
})

/** Whatever a client writes into the header, it is counted where its proxy saw it. */
function cannotBeForged(module: Module): void {
  const Entry = fc.oneof(fc.ipV4(), fc.ipV6(), fc.constantFrom('10.0.0.1', '192.0.2.7', 'unknown', '', '_x', '127.0.0.1', '"', '10.0.0.1:80', ',', '%', '999.1.1.1'), fc.string({ maxLength: 12 }).filter((text) => !/[\r\n]/.test(text)))
  fc.assert(fc.property(fc.array(Entry, { maxLength: 6 }), (forged) => {
    const said = [...forged, '203.0.113.9'].join(', ')
    assert.equal(of(said, { module }), '203.0.113.9')
    assert.equal(of(`${said}, 10.7.7.7`, { module }), '203.0.113.9')
  }), { numRuns: 500, seed: 3 })
}

test('what a client says of itself is never believed', () => cannotBeForged({ clientAddress }))

test('the property notices who reads from the left', async () => {
  const twin = await importTwin<Module>('src/http/', ['client-address.ts'], { file: 'client-address.ts', from: 'entries.toReversed()', to: 'entries' }, 'from the left')
  assert.throws(() => cannotBeForged(twin))
})

test('an entry that is no address ends the reading at whoever named it', () => {
  for (const hidden of ['unknown', '_gateway', 'example.org', '1.2.3', '1.2.3.4.5', '::g']) assert.equal(of(`203.0.113.9, ${hidden}, 10.2.2.2`), '10.2.2.2', hidden)
})

test('Forwarded is read in its place, with quotes, ports and more than one pair, and the other header is not', () => {
  const header = 'forwarded'
  assert.equal(of('for=203.0.113.9;proto=https;by=10.0.0.1', { header }), '203.0.113.9')
  assert.equal(of('For="203.0.113.9:4711", for=10.1.1.1', { header }), '203.0.113.9')
  assert.equal(of('for="[2001:db8::17]:80"', { header }), '2001:db8:0:0:0:0:0:17')
  for (const hidden of ['for=unknown', 'proto=https', 'for=1.1.1.1;for=2.2.2.2', 'for="_x"']) assert.equal(of(`for=203.0.113.9, ${hidden}`, { header }), '10.0.0.1', hidden)
  assert.equal(clientAddress({ trusted: PROXIES, header })('10.0.0.1', { 'x-forwarded-for': '203.0.113.9' }), '10.0.0.1')
  assert.equal(clientAddress({ trusted: PROXIES, header: 'x-forwarded-for' })('10.0.0.1', { forwarded: 'for=203.0.113.9' }), '10.0.0.1')
})

test('an address of IPv6 counts with the 64 bits that its holder has', () => {
  assert.equal(countedAs('198.51.100.1'), '198.51.100.1')
  assert.equal(countedAs('2001:db8:1:2:3:4:5:6'), countedAs('2001:db8:1:2::9'))
  assert.notEqual(countedAs('2001:db8:1:2::1'), countedAs('2001:db8:1:3::1'))
})

test('a list of proxies that holds something else is refused', () => {
  assert.deepEqual(networksIn('10.0.0.0/8, 192.0.2.7 fd00::/8'), ['10.0.0.0/8', '192.0.2.7', 'fd00::/8'])
  for (const bad of ['10.0.0.0/33', 'proxy.example', '10.0.0/8', '::1/129', '1.2.3.4/', '1.2.3.4/8/8']) assert.equal(networksIn(bad), null, bad)
})
