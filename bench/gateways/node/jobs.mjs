// The same jobs on Node: `gateway` is Express, ws and BullMQ's queue on one port, `worker` runs them.
// It speaks as Jobcast does: {type: submit, id, job} → accepted, then job:done on the same socket.
import { randomUUID } from 'node:crypto'
import { createServer } from 'node:http'
import { Queue, QueueEvents, Worker } from 'bullmq'
import express from 'express'
import IORedis from 'ioredis'
import { WebSocketServer } from 'ws'

const connect = () => new IORedis(process.env.REDIS_URL, { maxRetriesPerRequest: null })

async function gateway() {
  const queue = new Queue('noop', { connection: connect() })
  const events = new QueueEvents('noop', { connection: connect() })
  await Promise.all([queue.waitUntilReady(), events.waitUntilReady()])
  const watchers = new Map()
  events.on('completed', ({ jobId, returnvalue }) => {
    const client = watchers.get(jobId)
    watchers.delete(jobId)
    client?.send(JSON.stringify({ type: 'job:done', jobId, result: returnvalue }))
  })
  const app = express()
  app.get('/healthz', (_, answer) => answer.json({ ok: true }))
  const http = createServer(app)
  const sockets = new WebSocketServer({ server: http, perMessageDeflate: false })
  sockets.on('connection', (client) => {
    client.on('message', async (text) => {
      const { id, job } = JSON.parse(text)
      const jobId = randomUUID()
      watchers.set(jobId, client) // before it is added: it may be done before the answer is here
      await queue.add(job.type, job.payload, { jobId, removeOnComplete: true, removeOnFail: true })
      client.send(JSON.stringify({ type: 'accepted', id, job: { id: jobId } }))
    })
    client.send(JSON.stringify({ type: 'connected' }))
  })
  http.listen(0, '127.0.0.1', () => {
    console.log(JSON.stringify({ port: http.address().port, path: '/' }))
  })
}

async function worker() {
  const running = new Worker('noop', async () => ({ ok: true }), {
    connection: connect(),
    concurrency: 100,
  })
  await running.waitUntilReady()
  console.log('{}')
}

await { gateway, worker }[process.argv[2]]()
