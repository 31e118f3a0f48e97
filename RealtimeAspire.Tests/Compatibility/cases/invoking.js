import { base64 } from "../clients.js";
import { deferred, equal, failure } from "../expect.js";

const megabyte = 1024 * 1024;

const values = [
  null, true, false, 0, -1, 1.5, 127, 128, -129, 65_536, -2_147_483_649, Number.MAX_SAFE_INTEGER, 1e300, "", "text", [], {},
  [1, [2, [3, null]], "four"], { name: "Ada", tags: ["a", "b"], inner: { count: 2, ratio: 0.25, none: null, yes: true }, empty: {} },
];

const texts = {
  emoji: "👩‍👩‍👧‍👦 🏳️‍🌈 😀",
  "combining, not to be normalised": "e\u0301 \u00e9 a\u0328\u0301 n\u0303",
  "right to left": "שלום \u202eעולם\u202c مرحبا",
  "separators of lines": "a\u2028b\u2029c\u0085d\r\n\te",
  "NUL and controls": "a\u0000b\u0001\u001e\u001f\u007f",
  // In browsers the client for MessagePack takes one away at the beginning.
  "byte order mark": "a\ufeffb\ufeff",
  "not characters": "\ufffe\uffff\u{10ffff}",
  "beyond the first plane": "𝒜𠜎\u{f0000}",
  "what JSON and HTML mind": "\"\\/<script>&amp;'`${}",
};

export const invoking = {
  async "values come back as they were sent"(clients) {
    const connection = await clients.open();
    for (const value of values) {
      equal(await connection.invoke("Echo", value), value);
    }
  },

  async "values have the types of the method"(clients) {
    const connection = await clients.open();
    equal(await connection.invoke("Describe", "a", 2, 2.5, true, [1, 2]), "a 2 2.5 True 1+2");
    equal(await connection.invoke("EchoLists", { odd: [1, 3], even: [2], none: [] }), { odd: [1, 3], even: [2], none: [] });
  },

  async "a method without a result answers with nothing"(clients) {
    const connection = await clients.open();
    return [await connection.invoke("Nothing") ?? null, await connection.invoke("NothingLater") ?? null];
  },

  async "names of methods do not depend on their case"(clients) {
    const connection = await clients.open();
    equal(await connection.invoke("eChO", 1), 1);
  },

  async "bytes come back as they were sent"(clients) {
    const connection = await clients.open();
    for (const bytes of [[], [0], Array.from({ length: 256 }, (_, i) => i)].map(each => Uint8Array.from(each))) {
      equal(await connection.invoke("EchoBytes", clients.toSend(bytes)), base64(bytes));
    }
  },

  async "Unicode comes back as it was sent"(clients) {
    const connection = await clients.open();
    const pushed = [];
    connection.on("Pushed", text => pushed.push(text));
    for (const [what, text] of Object.entries(texts)) {
      equal(await connection.invoke("EchoText", text), text, what);
      await connection.invoke("Push", text);
    }
    equal(pushed, Object.values(texts));
  },

  async "characters of four bytes may be cut anywhere on their way"(clients) {
    const connection = await clients.open();
    for (const prefix of ["", "a", "ab", "abc"]) {
      const text = prefix + "😀".repeat(30_000);
      equal(await connection.invoke("EchoText", text), text);
    }
  },

  async "half a surrogate pair does not end the connection"(clients) {
    const connection = await clients.open();
    const seen = [];
    for (const text of ["\ud83d", "a\ude00b"]) {
      seen.push(await connection.invoke("EchoText", text).catch(error => error.message));
    }
    equal(await connection.invoke("Echo", "alive"), "alive");
    return seen;
  },

  async "a megabyte of text goes and comes"(clients) {
    const connection = await clients.open();
    const text = "0123456789abcdef".repeat(megabyte / 16);
    equal(await connection.invoke("EchoText", text), text);
    const pushed = deferred();
    connection.on("Pushed", pushed.resolve);
    await connection.send("Push", text);
    equal(await pushed.promise, text);
  },

  async "a megabyte of bytes goes and comes"(clients) {
    const connection = await clients.open();
    const bytes = new Uint8Array(megabyte).fill(0xa5);
    equal(await connection.invoke("EchoBytes", clients.toSend(bytes)), base64(bytes));
  },

  async "errors have the text of a HubException, and of nothing else"(clients) {
    const connection = await clients.open();
    const seen = [
      await failure(connection.invoke("Fail", "no 😀 today")),
      await failure(connection.invoke("FailLater", "later")),
      await failure(connection.invoke("Crash", "a secret")),
      await failure(connection.invoke("NoSuchMethod")),
      await failure(connection.invoke("OnConnectedAsync")),
      await failure(connection.invoke("EchoText")),
      await failure(connection.invoke("EchoText", "one", "too many")),
      await failure(connection.invoke("EchoNumber", { not: "a number" })),
      await failure(connection.invoke("Count", 3)),
    ];
    equal(seen[0].endsWith("HubException: no 😀 today"), true, `error in "${seen[0]}"`);
    equal(seen.some(error => error.includes("secret")), false, "secret");
    equal(await connection.invoke("Echo", "alive"), "alive");
    return seen;
  },

  async "what is sent without an answer has none, and no error"(clients) {
    const connection = await clients.open();
    await connection.send("Fail", "nobody hears it");
    await connection.send("NoSuchMethod", 1);
    equal(await connection.invoke("Echo", "alive"), "alive");
  },

  async "answers are those of their calls, in whatever order they come"(clients) {
    const connection = await clients.open();
    const keys = Array.from({ length: 16 }, (_, i) => i);
    const order = [];
    const waits = keys.map(async key => {
      equal(await connection.invoke("Wait", key), key);
      order.push(key);
    });
    for (const key of [...keys].reverse()) {
      await connection.invoke("Release", key);
      await waits[key];
    }
    equal(order, [...keys].reverse(), "order");

    const many = Array.from({ length: 500 }, (_, i) => `value ${i}`);
    equal(await Promise.all(many.map(value => connection.invoke("EchoText", value))), many);
  },

  async "a thousand messages to the server come in order"(clients) {
    const connection = await clients.open();
    const numbers = Array.from({ length: 1_000 }, (_, i) => i);
    await Promise.all(numbers.map(i => connection.send("Collect", i)));
    equal(await connection.invoke("Collected"), numbers);
  },

  async "a thousand messages to the client come in order"(clients) {
    const connection = await clients.open();
    const numbers = [];
    connection.on("Number", number => numbers.push(number));
    await connection.invoke("Burst", 1_000);
    equal(numbers, Array.from({ length: 1_000 }, (_, i) => i));
  },

  async "clients reach each other by id and by group"(clients) {
    const [ada, bob] = [await clients.open(), await clients.open()];
    const heard = deferred();
    bob.on("Pushed", heard.resolve);
    await ada.invoke("PushTo", await bob.invoke("Id"), "by id");
    equal(await heard.promise, "by id");

    const group = `group ${await ada.invoke("Id")}`;
    const inGroup = [deferred(), deferred()];
    ada.on("Pushed", inGroup[0].resolve);
    bob.off("Pushed");
    bob.on("Pushed", inGroup[1].resolve);
    await ada.invoke("Join", group);
    await bob.invoke("Join", group);
    await ada.invoke("PushToGroup", group, "to all of us");
    equal(await Promise.all(inGroup.map(each => each.promise)), ["to all of us", "to all of us"]);
  },

  async "the id of a negotiation is the server's"(clients, { skipNegotiation }) {
    const connection = await clients.open();
    equal(connection.connectionId, skipNegotiation ? null : await connection.invoke("Id"), "connection id");
  },

  async "clients give results"(clients) {
    const [ada, bob] = [await clients.open(), await clients.open()];
    const id = await bob.invoke("Id");
    bob.on("Answer", question => `${question} — 42 😀`);
    equal(await ada.invoke("Ask", id, "how many"), "how many — 42 😀");
    const questions = Array.from({ length: 20 }, (_, i) => `question ${i}`);
    equal(await Promise.all(questions.map(question => ada.invoke("Ask", id, question))), questions.map(question => `${question} — 42 😀`));

    // A client may ask itself, and take its time.
    ada.on("Answer", async question => `${question}: ${await ada.invoke("Echo", "later")}`);
    equal(await ada.invoke("Ask", await ada.invoke("Id"), "when"), "when: later");
  },

  async "clients that give no result are told of by an error"(clients) {
    const [ada, throwing, silent, wrong] = [await clients.open(), await clients.open(), await clients.open(), await clients.open()];
    throwing.on("Answer", () => { throw new Error("I will not say"); });
    wrong.on("Answer", () => ({ not: "a text" }));
    const seen = [];
    for (const asked of [throwing, silent]) {
      seen.push(await ada.invoke("TryAsk", await asked.invoke("Id"), "why"));
      equal(await asked.invoke("Echo", "alive"), "alive");
    }
    return seen;
  },

  async "a client that leaves owes its result no more"(clients) {
    const [ada, bob] = [await clients.open(), await clients.open()];
    const asked = deferred();
    bob.on("Answer", () => {
      asked.resolve();
      return new Promise(() => { });
    });
    const answer = ada.invoke("TryAsk", await bob.invoke("Id"), "why");
    await asked.promise;
    await bob.stop();
    return (await answer).replace(/'.*'/, "");
  },
};
