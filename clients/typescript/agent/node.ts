// One JSON object a line, and one for each answer.

import { createInterface } from "node:readline";
import { obey, type Order } from "./commands.js";

for await (const line of createInterface({ input: process.stdin })) {
  const { id, ...order } = JSON.parse(line) as Order & { id: number };
  void obey(order).then(answer => console.log(JSON.stringify({ id, ...answer })));
}
process.exit(0);
