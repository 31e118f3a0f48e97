import { startCircuit } from "./circuit.js";
import { ConnectionStateElement } from "./connectionState.js";
import { forget } from "./kept.js";
import { NetworkLab } from "./lab/networkLab.js";
import { LiveRoom } from "./liveRoom.js";
import { NotificationBell } from "./notificationBell.js";
import { closePageClient } from "./pageClient.js";
import { installThemeToggle } from "./theme.js";

installThemeToggle();
customElements.define("connection-state", ConnectionStateElement);
customElements.define("live-room", LiveRoom);
customElements.define("network-lab", NetworkLab);
customElements.define("notification-bell", NotificationBell);
startCircuit();

// Whoever signs in next must not find what this user wrote.
document.addEventListener("submit", event => {
  const form = event.target as HTMLFormElement;
  const user = form.dataset["signOut"];
  if (user === undefined) return;
  event.preventDefault();
  closePageClient();
  void forget(user).catch(() => { /* there is no storage to forget */ }).then(() => form.submit());
});
