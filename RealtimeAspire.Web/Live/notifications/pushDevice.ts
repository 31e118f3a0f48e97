// Web Push in this browser: what it can do, and switching it on and off (docs/notifications.md). The worker is wwwroot/push-worker.js.

import type { PageClient } from "../pageClient.js";

const worker = "/push-worker.js";
const key = "realtime.device";

export type PushState =
  /** The server has none. */
  | "none"
  /** Not in this browser, or not over this connection. */
  | "impossible"
  /** The user has refused it to the browser. */
  | "refused"
  | "off" | "on";

interface Devices {
  readonly devices: readonly { readonly device: string }[];
  readonly publicKey: string | null;
}

export async function pushState(page: PageClient): Promise<PushState> {
  const { devices, publicKey } = await page.get<Devices>("/inbox/devices");
  if (publicKey === null) return "none";
  if (!("serviceWorker" in navigator && "PushManager" in window && "Notification" in window)) return "impossible";
  if (Notification.permission === "denied") return "refused";
  const subscription = await (await navigator.serviceWorker.getRegistration())?.pushManager.getSubscription();
  return subscription && devices.some(({ device }) => device === deviceName()) ? "on" : "off";
}

/** Asks the user, then the browser's push service, then tells the server. */
export async function switchOn(page: PageClient): Promise<void> {
  if (await Notification.requestPermission() !== "granted") return;
  const { publicKey } = await page.get<Devices>("/inbox/devices");
  await navigator.serviceWorker.register(worker);
  const { pushManager } = await navigator.serviceWorker.ready;
  // One of another key is of no use to the server.
  await (await pushManager.getSubscription())?.unsubscribe();
  const subscription = await pushManager.subscribe({ userVisibleOnly: true, applicationServerKey: publicKey });
  const { endpoint, keys } = subscription.toJSON();
  await page.ask("PUT", `/inbox/devices/${deviceName()}`, { endpoint, keys });
}

export async function switchOff(page: PageClient): Promise<void> {
  await page.ask("DELETE", `/inbox/devices/${deviceName()}`);
  const registration = await navigator.serviceWorker.getRegistration();
  await (await registration?.pushManager.getSubscription())?.unsubscribe();
}

/** Its user goes: whoever comes next is not shown what is pushed to him, whether or not the server can be told. */
export async function leave(page: PageClient | undefined): Promise<void> {
  if (!("serviceWorker" in navigator)) return;
  const subscription = await (await navigator.serviceWorker.getRegistration())?.pushManager.getSubscription();
  if (subscription) await Promise.allSettled([subscription.unsubscribe(), page?.ask("DELETE", `/inbox/devices/${deviceName()}`)]);
}

/** This browser's, the same each time. */
function deviceName(): string {
  const kept = localStorage.getItem(key) ?? `web-${crypto.randomUUID()}`;
  localStorage.setItem(key, kept);
  return kept;
}
