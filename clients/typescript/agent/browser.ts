// Called by whoever drives the page.

import { obey } from "./commands.js";

Object.assign(globalThis, { obey });
