// A room server on Socket.IO with its defaults. With REDIS_URL several nodes form one, over the redis-streams adapter.
import { createServer } from 'node:http'
import { Server } from 'socket.io'

const server = createServer((_, response) => response.end('ok'))
const io = new Server(server, { transports: ['websocket'], adapter: await adapter() })

io.on('connection', socket => {
  socket.on('subscribe', async (topic, reply) => {
    await socket.join(topic)
    reply()
  })
  socket.on('publish', (topic, payload) => io.to(topic).emit('event', payload))
})

async function adapter() {
  if (!process.env.REDIS_URL) return undefined
  const { createClient } = await import('redis')
  const { createAdapter } = await import('@socket.io/redis-streams-adapter')
  const redis = createClient({ url: process.env.REDIS_URL })
  redis.on('error', () => {})
  await redis.connect()
  return createAdapter(redis)
}

server.listen(Number(process.env.PORT), '127.0.0.1')
