// What the compiler says of a client that knows its events: `npm run check` compiles this, nobody runs it.

import { RealtimeClient, type EventOf, type RealtimeEvents, type Subscription, type TopicEvent } from "../src/index.js";

type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
const same = <A, B>(_: Same<A, B>): void => undefined;

interface Events extends RealtimeEvents {
  "app:price": { readonly bid: number };
  "app:whatever": unknown;
}

export async function knowsItsEvents(client: RealtimeClient<Events>, name: string): Promise<void> {
  void client.publish("room:a", "chat:message", { text: "hi" });
  // @ts-expect-error The text is missing.
  void client.publish("room:a", "chat:message", {});
  // @ts-expect-error It is a text.
  void client.publish("room:a", "chat:message", { text: 1 });
  // @ts-expect-error There is nothing else in it.
  void client.publish("room:a", "chat:message", { text: "hi", other: 1 });
  void client.publish("room:a", "app:unknown", { anything: 1 });
  void client.publish("room:a", name, 1);

  const room = await client.subscribe("room:a", { rewind: { count: 1 }, onEvent: event => { if (event.event === "app:price") event.data.payload.bid.toFixed(); } });
  for await (const event of room) {
    // @ts-expect-error Which event it is, is not known yet.
    void event.data.payload.text;
    if (event.event === "chat:message") same<typeof event.data.payload.text, string>(true);
    else if (event.event === "app:price") same<typeof event.data.payload.bid, number>(true);
    else same<typeof event.data.payload, unknown>(true);
    // @ts-expect-error A name that the map does not have.
    if (event.event === "chat:mesage") continue;
    const text: string = event.event;
    void text;
  }

  for (const event of (await client.history({ topic: "room:a" })).events) {
    switch (event.event) {
      case "chat:message": same<typeof event.data.payload.text, string>(true); break;
      case "app:whatever": same<typeof event.data.payload, unknown>(true); break;
      default: same<typeof event.data.payload, unknown>(true);
    }
  }

  const prices: Subscription<{ bid: number }> = await client.subscribe<{ bid: number }>("ticker:eur");
  void prices;
}

/** Without a map all is as before. */
export async function knowsNothing(client: RealtimeClient): Promise<void> {
  void client.publish("room:a", "chat:message", 1);
  same<EventOf<object>, TopicEvent>(true);
  const room: Subscription = await client.subscribe("room:a");
  for await (const event of room) {
    if (event.event === "anything") same<typeof event.data.payload, unknown>(true);
  }
  const prices = await client.subscribe<{ bid: number }>("ticker:eur");
  for await (const event of prices) same<typeof event.data.payload.bid, number>(true);
  const inferred = await client.subscribe("ticker:eur", { onEvent: (event: TopicEvent<{ bid: number }>) => { event.data.payload.bid.toFixed(); } });
  same<typeof inferred, Subscription<{ bid: number }>>(true);
}
