// Node's ws: on every line `N` of standard input it sends N events to all its sockets.
import { createInterface } from 'node:readline'
import { WebSocketServer } from 'ws'

const server = new WebSocketServer({ port: 0, host: '127.0.0.1', perMessageDeflate: false })
server.on('listening', () => {
  console.log(JSON.stringify({ port: server.address().port, path: '/' }))
})
let number = 0
createInterface({ input: process.stdin }).on('line', (line) => {
  for (let left = Number(line); left > 0; left--) {
    const event = `{"type":"job:output","seq":${++number},"data":"`.padEnd(198, 'x') + '"}'
    const data = Buffer.from(event) // built once, as its documentation advises
    for (const client of server.clients) client.send(data, { binary: false })
  }
}).on('close', () => process.exit(0))
