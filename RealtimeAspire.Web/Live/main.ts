import { startCircuit } from "./circuit.js";
import { ConnectionStateElement } from "./connectionState.js";
import { forget } from "./kept.js";
import { NetworkLab } from "./lab/networkLab.js";
import { LiveRoom } from "./rooms/liveRoom.js";
import { NewRoom } from "./rooms/newRoom.js";
import { RoomSidebar } from "./rooms/roomSidebar.js";
import { NotificationBell } from "./notifications/notificationBell.js";
import { NotificationPreferences } from "./notifications/notificationPreferences.js";
import { closePageClient, PageClient } from "./pageClient.js";
import { leave } from "./notifications/pushDevice.js";
import { OwnStatus } from "./people/ownStatus.js";
import { installPersonCards } from "./people/personCard.js";
import { PersonStatus } from "./people/personStatus.js";
import { installThemeToggle } from "./theme.js";
import { TogetherCanvas } from "./together/togetherCanvas.js";

installThemeToggle();
customElements.define("connection-state", ConnectionStateElement);
customElements.define("live-room", LiveRoom);
customElements.define("network-lab", NetworkLab);
customElements.define("new-room", NewRoom);
customElements.define("notification-bell", NotificationBell);
customElements.define("notification-preferences", NotificationPreferences);
customElements.define("own-status", OwnStatus);
customElements.define("person-status", PersonStatus);
customElements.define("room-sidebar", RoomSidebar);
customElements.define("together-canvas", TogetherCanvas);
installPersonCards(() => PageClient.current);
startCircuit();

/** Milliseconds for which who signs out waits at most until nothing is pushed to this browser any more. */
const patience = 2_000;

// Whoever signs in next must not find what this user wrote, nor be shown what is pushed to him.
document.addEventListener("submit", event => {
  const form = event.target as HTMLFormElement;
  const user = form.dataset["signOut"];
  if (user === undefined) return;
  event.preventDefault();
  closePageClient();
  const late = new Promise(resolve => setTimeout(resolve, patience));
  // There may be no storage to forget, and nobody to be told.
  void Promise.allSettled([forget(user), Promise.race([leave(PageClient.current), late])]).then(() => form.submit());
});
