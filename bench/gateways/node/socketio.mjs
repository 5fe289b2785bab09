// Socket.IO: on every line `N` of standard input it emits N events to all its sockets.
import { createServer } from 'node:http'
import { createInterface } from 'node:readline'
import { Server } from 'socket.io'

const http = createServer()
const io = new Server(http, {
  transports: ['websocket'], pingInterval: 600_000, perMessageDeflate: false, serveClient: false,
})
http.listen(0, '127.0.0.1', () => {
  console.log(JSON.stringify({
    port: http.address().port,
    path: '/socket.io/?EIO=4&transport=websocket',
    greeting: '0{',
    hello: '40',
    until: '40{',
  }))
})
let number = 0
createInterface({ input: process.stdin }).on('line', (line) => {
  for (let left = Number(line); left > 0; left--) {
    const data = `{"type":"job:output","seq":${++number},"data":"`.padEnd(186, 'x') + '"}'
    io.emit('e', data)
  }
}).on('close', () => process.exit(0))
