import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { connect, type AddressInfo } from 'node:net'
import { test } from 'node:test'
import { createMetrics } from '#telemetry/metrics.ts'
import { acceptConnections, LISTENS } from './connections.ts'

const at = async (max: number | null) => {
  const said: string[] = []
  const telemetry = { log: { debug: () => {}, warn: (_facts: object, text: string) => said.push(text) }, metrics: createMetrics({ service: 'test', version: '8', constitutionalHash: 'h', description: 'd' }) }
  const server = createServer((_request, response) => response.end('served'))
  const connections = acceptConnections(server, max, telemetry as never)
  await once(server.listen({ port: 0, host: '127.0.0.1', ...LISTENS }), 'listening')
  const { port } = server.address() as AddressInfo
  const begun = () => connect(port, '127.0.0.1').on('error', () => {})
  const open = async () => {
    const socket = begun()
    await once(socket, 'connect')
    return socket
  }
  const get = async () => await (await fetch(`http://127.0.0.1:${port}/`, { headers: { connection: 'close' } })).text()
  return { server, connections, telemetry, said, begun, open, get }
}
const soon = async (isSo: () => boolean) => {
  for (const deadline = Date.now() + 60_000; !isSo(); await new Promise((resolve) => setTimeout(resolve, 5))) assert.ok(Date.now() < deadline, String(isSo))
}

for (const [sockets, isAlone] of [['one socket', true], ['several sockets', false]] as const) {
  test(`by ${sockets}: more connections than allowed are dropped, counted, and said once; those that are there go on, and the place of one that ends is free`, async () => {
    const { server, connections, telemetry, said, open, get } = await at(3)
    if (!isAlone) await connections.listenBeside()
    const held = [await open(), await open(), await open()]
    await soon(() => connections.open() === 3)
    const dropped = await Promise.all(Array.from({ length: 20 }, open))
    await Promise.all(dropped.map((socket) => socket.closed || once(socket, 'close')))
    assert.equal(connections.open(), 3)
    assert.deepEqual(said.length, 1)
    assert.match(await telemetry.metrics.registry.metrics(), /overloaded_requests_total\{[^}]*because="connections"[^}]*\} 20/)
    held[0]?.destroy()
    await soon(() => connections.open() === 2)
    for (let i = 0; i < 20; i++) {
      assert.equal(await get(), 'served')
      await soon(() => connections.open() === 2)
    }
    const ended = connections.stopBeside()
    server.close()
    for (const socket of held) socket.destroy()
    await ended
    await assert.rejects(get())
  })
}

test('a crowd is accepted in a few turns of the event loop, by one socket one in each turn', { skip: LISTENS.reusePort ? false : 'this system has no SO_REUSEPORT' }, async () => {
  const crowd = 200
  const turns = async (isAlone: boolean) => {
    const { server, connections, begun } = await at(null)
    if (!isAlone) await connections.listenBeside()
    const sockets = Array.from({ length: crowd }, begun)
    let count = 0
    for (; connections.open() < crowd; count++) await new Promise((resolve) => setImmediate(resolve))
    for (const socket of sockets) socket.destroy()
    server.close()
    await connections.stopBeside()
    return count
  }
  const alone = await turns(true)
  const several = await turns(false)
  assert.ok(alone >= crowd, `one socket: ${alone} turns; one would do`)
  assert.ok(several < crowd / 2, `several: ${several} turns`)
})
