// What a woken browser shows: fixed words. Nothing was sent with the waking, so nothing else can be shown.
self.addEventListener("push", (event) => {
  event.waitUntil(self.registration.showNotification("You have items in the safeguarding hub", { tag: "inbox", renotify: true }));
});
self.addEventListener("notificationclick", (event) => {
  event.notification.close();
  event.waitUntil(self.clients.openWindow("/"));
});
