// Lets this browser be woken: asks for leave, subscribes at the browser's push service, and sends the address in a form.
const form = document.getElementById("push");
if (form && "serviceWorker" in navigator && "PushManager" in window) {
  form.hidden = false;
  form.addEventListener("submit", async (event) => {
    if (form.elements.subscription.value) {
      return;
    }
    event.preventDefault();
    const said = document.getElementById("push-said");
    try {
      const worker = await navigator.serviceWorker.register("/push-worker.js");
      const key = Uint8Array.from(atob(form.dataset.key.replaceAll("-", "+").replaceAll("_", "/")), (one) => one.charCodeAt(0));
      const subscription = await worker.pushManager.subscribe({ userVisibleOnly: true, applicationServerKey: key });
      form.elements.subscription.value = JSON.stringify({ endpoint: subscription.endpoint });
      form.submit();
    } catch {
      said.textContent = "This browser would not be woken. Allow notifications for this page, or choose e-mail.";
    }
  });
}
