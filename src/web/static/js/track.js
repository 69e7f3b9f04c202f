// The progress page works without script; this only guards against double clicks and tidies what is typed.
document.querySelectorAll("form[data-once]").forEach((form) => {
  form.addEventListener("submit", (event) => {
    if (form.dataset.sent) {
      event.preventDefault();
      return;
    }
    form.dataset.sent = "1";
    const button = event.submitter || form.querySelector("button");
    if (button) button.setAttribute("aria-busy", "true");
  });
});
// A page restored from the back-forward cache may be sent again.
window.addEventListener("pageshow", () => document.querySelectorAll("form[data-sent]").forEach((form) => {
  delete form.dataset.sent;
  form.querySelectorAll("[aria-busy]").forEach((button) => button.removeAttribute("aria-busy"));
}));
for (const id of ["number", "code"]) {
  const input = document.getElementById(id);
  if (input) input.addEventListener("change", () => { input.value = input.value.trim().toUpperCase(); });
}
const focus = document.querySelector('[role="alert"]');
if (focus) { focus.tabIndex = -1; focus.focus(); }
