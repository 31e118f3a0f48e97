import { Hubs } from "../clients.js";
import { deferred, equal, failure } from "../expect.js";

/** An event has names in JSON, and is an array in MessagePack. */
const read = event => Array.isArray(event)
  ? { offset: event[2], epoch: event[3], text: event[6][1].text }
  : { offset: event.offset, epoch: event.epoch, text: event.data.payload.text };

export const events = {
  async "the product's hub takes what is published and gives it to who has subscribed"(clients) {
    const topic = `room:${crypto.randomUUID()}`;
    const [ada, bob] = [await clients.open(Hubs.product), await clients.open(Hubs.product)];
    const [received, complete] = [[], deferred()];
    bob.on("Events", batch => {
      if (received.push(...batch.map(read)) === 20) {
        complete.resolve();
      }
    });
    const subscribed = await bob.invoke("Subscribe", { topic });
    equal([subscribed.topic, subscribed.recovery, subscribed.position], [topic, "none", { epoch: "", offset: 0 }]);

    const texts = Array.from({ length: 20 }, (_, i) => `message ${i} 😀`);
    const replies = [];
    for (const text of texts) {
      replies.push(await ada.invoke("Publish", { topic, event: "app:text", payload: { text } }));
    }
    await complete.promise;
    equal(received.map(event => event.text), texts);
    equal(received.map(event => event.offset), texts.map((_, i) => i + 1));
    equal(replies.map(reply => reply.position), received.map(({ epoch, offset }) => ({ epoch, offset })));

    const history = await ada.invoke("History", { topic, limit: 5 });
    equal(history.events.map(read), received.slice(0, 5));
    await bob.invoke("Unsubscribe", topic);
  },

  async "what a client publishes in one go is stored in its order, however much it is"(clients) {
    const topic = `room:${crypto.randomUUID()}`;
    const connection = await clients.open(Hubs.product);
    const text = "x".repeat(60_000);
    const replies = await Promise.all(Array.from({ length: 50 }, () => connection.invoke("Publish", { topic, event: "app:text", payload: text })));
    equal(replies.map(reply => reply.position.offset), replies.map((_, i) => i + 1), "order");
  },

  async "the product's errors have their codes"(clients) {
    const connection = await clients.open(Hubs.product);
    const seen = [
      await failure(connection.invoke("Publish", { topic: "room a", event: "app:text", payload: 1 })),
      await failure(connection.invoke("Subscribe", null)),
      await failure(connection.invoke("NoSuchMethod")),
    ];
    equal(seen.map(error => /HubException: ([a-z_]+): /.exec(error)?.[1]), ["topic_invalid", "request_invalid", "request_invalid"]);
    return seen;
  },
};
