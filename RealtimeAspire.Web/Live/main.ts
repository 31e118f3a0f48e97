import { startCircuit } from "./circuit.js";
import { LiveRoom } from "./liveRoom.js";
import { Outbox } from "./outbox.js";
import { installThemeToggle } from "./theme.js";

installThemeToggle();
customElements.define("live-room", LiveRoom);
startCircuit();

// Whoever signs in next on this tab must not find what this user wrote.
document.addEventListener("submit", event => {
  if ((event.target as Element).matches("[data-sign-out]")) Outbox.clear();
});
