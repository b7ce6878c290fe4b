import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { connect, type AddressInfo } from 'node:net'
import { test } from 'node:test'
import { createMetrics } from '#telemetry/metrics.ts'
import { watchConnections } from './connections.ts'

test('more connections than allowed are dropped, counted, and said once; those that are there go on, and the place of one that ends is free', async () => {
  const said: string[] = []
  const telemetry = { log: { debug: () => {}, warn: (_facts: object, text: string) => said.push(text) }, metrics: createMetrics({ service: 'test', version: '8', constitutionalHash: 'h', description: 'd' }) }
  const server = createServer((_request, response) => response.end('served'))
  const count = watchConnections(server, 3, telemetry as never)
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const { port } = server.address() as AddressInfo
  const open = async () => {
    const socket = connect(port, '127.0.0.1')
    socket.on('error', () => {})
    await once(socket, 'connect')
    return socket
  }
  const held = [await open(), await open(), await open()]
  const dropped = await Promise.all(Array.from({ length: 5 }, open))
  await Promise.all(dropped.map((socket) => socket.closed || once(socket, 'close')))
  assert.equal(count(), 3)
  assert.deepEqual(said.length, 1)
  assert.match(await telemetry.metrics.registry.metrics(), /overloaded_requests_total\{[^}]*because="connections"[^}]*\} 5/)
  held[0]?.destroy()
  while (count() > 2) await new Promise((resolve) => setTimeout(resolve, 5))
  assert.equal(await (await fetch(`http://127.0.0.1:${port}/`, { headers: { connection: 'close' } })).text(), 'served')
  for (const socket of held) socket.destroy()
  server.close()
})
