import fastify from 'fastify'

// A process of its own: the framework with nothing of ours, answering a body that it reads with a constant of the size of ours.
const [reply = '{}'] = process.argv.slice(2)
const app = fastify()
app.get('/constant', (_request, to) => to.header('content-type', 'application/json; charset=utf-8').send(reply))
app.post('/access/v1/evaluation', (_request, to) => to.header('content-type', 'application/json; charset=utf-8').send(reply))
await app.listen({ host: '127.0.0.1', port: 0 })
const address = app.server.address()
process.send?.({ port: typeof address === 'object' ? address?.port : 0 })
process.once('disconnect', () => process.exit(0))
