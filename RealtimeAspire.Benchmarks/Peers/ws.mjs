// Topics over plain `ws`: the least that a server can do. "S<topic>" joins, "P<topic>\n<payload>" sends to all who joined.
import { readFileSync } from 'node:fs'
import http from 'node:http'
import https from 'node:https'
import { WebSocketServer } from 'ws'

const { PORT, CERTIFICATE, KEY } = process.env
const topics = new Map()
const answer = (_, response) => response.end('ok')
const server = CERTIFICATE
  ? https.createServer({ cert: readFileSync(CERTIFICATE), key: readFileSync(KEY) }, answer)
  : http.createServer(answer)

new WebSocketServer({ server }).on('connection', socket => {
  const joined = []
  socket.on('message', data => {
    const text = data.toString()
    if (text[0] === 'S') {
      join(socket, joined, text.slice(1))
      socket.send('A')
      return
    }
    const end = text.indexOf('\n')
    const payload = Buffer.from(text.slice(end + 1))
    for (const member of topics.get(text.slice(1, end)) ?? []) member.send(payload, { binary: false })
  })
  socket.on('close', () => joined.forEach(topic => topics.get(topic)?.delete(socket)))
  socket.on('error', () => {})
})

function join(socket, joined, topic) {
  let members = topics.get(topic)
  if (!members) topics.set(topic, members = new Set())
  members.add(socket)
  joined.push(topic)
}

server.listen(Number(PORT), '127.0.0.1')
