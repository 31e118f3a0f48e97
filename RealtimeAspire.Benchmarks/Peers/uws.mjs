// Topics over uWebSockets' own publish and subscribe, in the protocol of ws.mjs.
import uWS from '@trufflesuite/uws-js-unofficial'

const { PORT, CERTIFICATE, KEY } = process.env
// Without a binary for this Node the package becomes something else that has no TLS.
if (!uWS.SSLApp) throw new Error(`uWebSockets has no binary for Node ${process.version}; Node 20 has one.`)
const app = CERTIFICATE ? uWS.SSLApp({ cert_file_name: CERTIFICATE, key_file_name: KEY }) : uWS.App()

app.ws('/*', {
  // As much as RealtimeAspire's queues may hold here: beyond it messages are left out.
  maxBackpressure: 64 * 1024 * 1024,
  message(socket, data) {
    const text = Buffer.from(data).toString()
    if (text[0] === 'S') {
      socket.subscribe(text.slice(1))
      socket.send('A')
      return
    }
    const end = text.indexOf('\n')
    app.publish(text.slice(1, end), text.slice(end + 1))
  },
})
app.get('/*', response => response.end('ok'))

app.listen('127.0.0.1', Number(PORT), listening => {
  if (!listening) throw new Error(`Port ${PORT} is not free.`)
})
