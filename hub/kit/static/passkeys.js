// Signing in by passkey: the forms for it show themselves where the browser can, and are filled by it.
const decode = (text) =>
  Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (one) => one.charCodeAt(0));
const encode = (buffer) =>
  btoa(String.fromCharCode(...new Uint8Array(buffer)))
    .replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");

async function options(form) {
  const answer = await fetch(`${form.action}/options`, { method: "POST", body: new URLSearchParams(new FormData(form)) });
  if (!answer.ok) {
    throw new Error(String(answer.status));
  }
  const given = await answer.json();
  given.challenge = decode(given.challenge);
  if (given.user) {
    given.user.id = decode(given.user.id);
  }
  for (const one of [...(given.excludeCredentials ?? []), ...(given.allowCredentials ?? [])]) {
    one.id = decode(one.id);
  }
  return given;
}

async function ask(form) {
  const publicKey = await options(form);
  const made = await navigator.credentials[form.dataset.passkey]({ publicKey });
  const response = {};
  for (const name of ["clientDataJSON", "attestationObject", "authenticatorData", "signature", "userHandle"]) {
    if (made.response[name]) {
      response[name] = encode(made.response[name]);
    }
  }
  return JSON.stringify({ id: made.id, rawId: encode(made.rawId), type: made.type, response });
}

for (const form of document.querySelectorAll("form[data-passkey]")) {
  form.hidden = !window.PublicKeyCredential;
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const failed = form.querySelector("[role=alert]");
    failed.hidden = true;
    failed.textContent = "";
    try {
      form.elements.credential.value = await ask(form);
    } catch {
      failed.textContent = form.dataset.failed;
      failed.hidden = false;
      return;
    }
    form.submit();
  });
}
