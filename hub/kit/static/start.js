// What a page gains where there is script: the design system's behaviour, and forms that are sent once.
document.body.classList.add("js-enabled");
if ("noModule" in HTMLScriptElement.prototype) {
  document.body.classList.add("govuk-frontend-supported");
}
const source = document.body.dataset.script;
if (source) {
  import(source).then(({ initAll }) => {
    initAll();
    tellNoState();
    // What a choice reveals follows it; the state that the design system sets is none that a radio button can have.
    document.addEventListener("click", tellNoState);
  });
}
function tellNoState() {
  for (const radio of document.querySelectorAll("input[type=radio][aria-expanded]")) {
    radio.removeAttribute("aria-expanded");
  }
}
for (const form of document.querySelectorAll("form[data-once]")) {
  form.addEventListener("submit", (event) => {
    if (form.dataset.sent) {
      event.preventDefault();
    }
    form.dataset.sent = "yes";
  });
}
window.addEventListener("pageshow", (event) => {
  if (event.persisted) {
    for (const form of document.querySelectorAll("form[data-once]")) {
      delete form.dataset.sent;
    }
  }
});
