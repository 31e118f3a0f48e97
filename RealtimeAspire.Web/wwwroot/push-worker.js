// Shows what comes by Web Push while no page is open, and opens what it is about. It keeps nothing and answers no request.

self.addEventListener("push", event => {
  const { id, title = "RealtimeAspire", body, link } = event.data?.json() ?? {};
  event.waitUntil(self.registration.showNotification(title, { body: body ?? "", tag: id, icon: "/favicon.svg", data: { link } }));
});

self.addEventListener("notificationclick", event => {
  event.notification.close();
  const link = new URL(event.notification.data?.link ?? "/", self.location.origin);
  event.waitUntil(open(link));
});

// A page of ours that is open already comes to the front.
async function open(link) {
  const pages = await self.clients.matchAll({ type: "window" });
  const page = link.origin === self.location.origin ? pages.find(one => new URL(one.url).origin === link.origin) : undefined;
  if (!page) return self.clients.openWindow(link);
  await page.focus();
  return page.navigate(link);
}
