// Word of what is new, while a page is open.
const live = document.getElementById("live");
if (live && live.dataset.events) {
  const events = new EventSource(live.dataset.events);
  let first = null;
  events.addEventListener("waiting", (event) => {
    first ??= event.data;
    if (event.data !== first) {
      live.hidden = false;
      live.querySelector("p").textContent = live.dataset.words;
    }
  });
}
