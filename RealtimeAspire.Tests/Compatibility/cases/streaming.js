import { collect, deferred, equal, failure } from "../expect.js";

const numbers = count => Array.from({ length: count }, (_, i) => i);

export const streaming = {
  async "a stream of the server comes whole and in order"(clients) {
    const connection = await clients.open();
    for (const method of ["Count", "CountInChannel"]) {
      equal(await collect(connection.stream(method, 500)), { items: numbers(500), error: null });
      equal(await collect(connection.stream(method, 0)), { items: [], error: null });
    }
  },

  async "streams that run at once do not mix"(clients) {
    const connection = await clients.open();
    const streams = await Promise.all(numbers(8).map(i => collect(connection.stream("CountFrom", i * 1_000, 100))));
    streams.forEach((stream, i) => equal(stream, { items: numbers(100).map(n => n + (i * 1_000)), error: null }));
  },

  async "items of a stream are any text, and long ones"(clients) {
    const connection = await clients.open();
    const items = ["😀\u0000\u2028", "", "x".repeat(300_000), "ש"];
    equal(await collect(connection.stream("Repeat", items)), { items, error: null });
  },

  async "a stream that breaks gives what came before, and its error"(clients) {
    const connection = await clients.open();
    const seen = [
      await collect(connection.stream("Break", 3, true)),
      await collect(connection.stream("Break", 2, false)),
      await collect(connection.stream("BreakInChannel", 1)),
      await collect(connection.stream("NoSuchStream")),
      await collect(connection.stream("Count", "not a number")),
      await collect(connection.stream("Echo", "no stream")),
    ];
    equal(seen.map(stream => stream.items.length), [3, 2, 1, 0, 0, 0]);
    equal(seen.some(stream => stream.error === null || stream.error.includes("secret")), false, "error");
    return seen;
  },

  async "a stream that the client leaves ends on the server"(clients) {
    const connection = await clients.open();
    for (const method of ["Endless", "EndlessInChannel"]) {
      const begun = deferred();
      const subscription = connection.stream(method).subscribe({ next: begun.resolve, complete() { }, error() { } });
      await begun.promise;
      subscription.dispose();
      equal(await connection.invoke("Ended", method), true);
    }
  },

  async "a stream of a client that goes ends on the server"(clients) {
    const [watcher, connection] = [await clients.open(), await clients.open()];
    const id = await connection.invoke("Id");
    const [begun, ended] = [deferred(), deferred()];
    connection.stream("Endless").subscribe({ next: begun.resolve, complete() { }, error: error => ended.resolve(error.message) });
    await begun.promise;
    await connection.stop();
    equal(await watcher.invoke("Left", id), "without an error");
    return ended.promise;
  },

  async "a stream of the client comes whole and in order"(clients) {
    const connection = await clients.open();
    for (const method of ["Gather", "GatherFromChannel"]) {
      const subject = clients.subject();
      const gathered = connection.invoke(method, "prefix", subject);
      numbers(500).forEach(number => subject.next(number));
      subject.complete();
      equal(await gathered, ["prefix", ...numbers(500).map(String)]);
    }
  },

  async "a stream of the client may be sent without an answer"(clients) {
    const connection = await clients.open();
    const subject = clients.subject();
    const gathered = deferred();
    connection.on("Gathered", gathered.resolve);
    await connection.send("GatherAndTell", subject);
    [1, 2, 3].forEach(number => subject.next(number));
    subject.complete();
    equal(await gathered.promise, [1, 2, 3]);
  },

  async "two streams of the client in one call do not mix"(clients) {
    const connection = await clients.open();
    const [left, right] = [clients.subject(), clients.subject()];
    const sums = connection.invoke("SumBoth", left, "and", right);
    numbers(100).forEach(number => {
      left.next(number);
      right.next(-number);
    });
    right.complete();
    left.complete();
    equal(await sums, [4_950, -4_950]);
  },

  async "a stream of the client that breaks fails the call"(clients) {
    const connection = await clients.open();
    const [broken, caught, wrong] = [clients.subject(), clients.subject(), clients.subject()];
    const failing = failure(connection.invoke("Gather", "prefix", broken));
    broken.next(1);
    broken.error(new Error("the client's own words"));

    const catching = connection.invoke("TryGather", caught);
    caught.error(new Error("caught on the server"));

    const mistaken = failure(connection.invoke("Gather", "prefix", wrong));
    wrong.next("not a number");
    wrong.complete();

    const seen = [await failing, await catching, await mistaken];
    equal(seen[1].includes("caught on the server"), true, `error in "${seen[1]}"`);
    equal(await connection.invoke("Echo", "alive"), "alive");
    return seen;
  },

  async "one call streams both ways"(clients) {
    const connection = await clients.open();
    for (const method of ["Double", "DoubleInChannel"]) {
      const subject = clients.subject();
      const [doubled, answered] = [[], numbers(3).map(() => deferred())];
      const ended = new Promise((complete, error) => connection.stream(method, subject).subscribe({
        next: number => answered[doubled.push(number) - 1].resolve(),
        complete,
        error,
      }));
      // Each is answered before the next is sent.
      for (const number of numbers(3)) {
        subject.next(number);
        await answered[number].promise;
      }
      subject.complete();
      await ended;
      equal(doubled, [0, 2, 4]);
    }
  },
};
