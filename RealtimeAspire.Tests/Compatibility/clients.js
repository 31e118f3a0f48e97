// Connections of one case, as an application makes them.

/** Where the hub of the cases is, on a server's address. */
export const Hubs = {
  /** Time-outs as they are by default, and messages of some megabytes. */
  main: "/realtime/compatibility",
  /** Gives up a client after 3 s without a word, speaks to it about every second, and takes messages of 4 KiB. */
  strict: "/realtime/compatibility/strict",
  /** Never speaks by itself. */
  silent: "/realtime/compatibility/silent",
  /** Refuses everybody, with an error of its own. */
  refusing: "/realtime/compatibility/refusing",
  /** The product's. */
  product: "/realtime",
};

export class Clients {
  #packages;
  #configuration;
  #connections = [];

  constructor(packages, configuration) {
    this.#packages = packages;
    this.#configuration = configuration;
  }

  /** A connection that has not been started; `closed` resolves with what `onclose` was given. */
  make(hub = Hubs.main, configure = builder => builder) {
    const { signalR, MessagePackHubProtocol } = this.#packages;
    const { url, token, protocol, skipNegotiation } = this.#configuration;
    const builder = new signalR.HubConnectionBuilder()
      .withUrl(url + hub, { accessTokenFactory: () => token, transport: signalR.HttpTransportType.WebSockets, skipNegotiation })
      .withHubProtocol(protocol === "messagepack" ? new MessagePackHubProtocol() : new signalR.JsonHubProtocol())
      .configureLogging(signalR.LogLevel.None);
    const connection = configure(builder).build();
    connection.closed = new Promise(resolve => connection.onclose(error => resolve(error?.message ?? null)));
    this.#connections.push(connection);
    return connection;
  }

  async open(hub, configure) {
    const connection = this.make(hub, configure);
    await connection.start();
    return connection;
  }

  subject() {
    return new this.#packages.signalR.Subject();
  }

  /** As the protocol carries bytes to the server: as they are, or in base 64. */
  toSend(bytes) {
    return this.#configuration.protocol === "messagepack" ? bytes : base64(bytes);
  }

  stop() {
    return Promise.all(this.#connections.map(connection => connection.stop()));
  }
}

/** As they come from the server, which writes in either protocol what it would write in JSON. */
export function base64(bytes) {
  const some = 10_000;
  let text = "";
  for (let i = 0; i < bytes.length; i += some) {
    text += String.fromCharCode(...bytes.subarray(i, i + some));
  }
  return btoa(text);
}
