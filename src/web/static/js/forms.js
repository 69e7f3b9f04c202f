// Plain forms with a little help: sent once, only over a line that is up, and what was typed stays until it was taken.
// Without script they are ordinary forms.
import { el, icon } from "./dom.js";
import { draft, dropDrafts, keepForm } from "./drafts.js";

/** As long as the code that opened the case is remembered. */
const HOURS = 12;
const DOWN = "网络不通，没有提交。写好的内容还在，恢复后请再点一次。";

/** Whether the gateway answers at all, whatever it says. */
async function isUp() {
  if (navigator.onLine === false) return false;
  const abort = new AbortController();
  const timer = setTimeout(() => abort.abort(), 6000);
  try {
    await fetch("/healthz", { cache: "no-store", credentials: "omit", signal: abort.signal });
    return true;
  } catch {
    return false;
  } finally {
    clearTimeout(timer);
  }
}

function tell(form, words) {
  let line = form.querySelector(".form-down");
  if (!line) {
    line = el("p", { class: "notice notice-error form-down", role: "alert" });
    const button = form.querySelector("button:not([type=button])");
    (button || form.lastElementChild).before(line);
  }
  line.replaceChildren(icon("offline"), el("span", {}, words));
}

function settle(form) {
  delete form.dataset.sent;
  form.querySelectorAll("[aria-busy]").forEach((button) => button.removeAttribute("aria-busy"));
  form.querySelectorAll("[data-chosen]").forEach((field) => field.remove());
}

function wire(form) {
  const kept = form.dataset.draft ? keepForm(form, form.dataset.draft, HOURS) : null;
  const fold = form.closest("details");
  if (kept && kept.restored && fold) fold.open = true;
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (form.dataset.sent) return;
    form.dataset.sent = "1";
    const button = event.submitter || form.querySelector("button:not([type=button])");
    if (button) button.setAttribute("aria-busy", "true");
    if (kept) kept.sending();
    if (!(await isUp())) {
      settle(form);
      tell(form, DOWN);
      return;
    }
    if (form.dataset.forget !== undefined) dropDrafts("zt.track.");
    // The button that was pressed is part of the answer; submit() knows of none.
    if (button && button.name) form.append(el("input", { type: "hidden", name: button.name, value: button.value, "data-chosen": "" }));
    form.submit();
  });
}

// What was taken is no draft any more; the address is cleaned so that a reload does not say it again.
const done = document.querySelector("[data-done]");
if (done && done.dataset.done) {
  draft(`zt.track.${done.dataset.case}.${done.dataset.done}`, HOURS).del();
  history.replaceState(null, "", location.pathname);
}
document.querySelectorAll("form[method=post]").forEach(wire);

// A page restored from the back-forward cache may be sent again.
window.addEventListener("pageshow", () => document.querySelectorAll("form[data-sent]").forEach(settle));

const bar = el("p", { class: "offline-bar noprint", role: "status", hidden: true }, icon("offline"), "网络不通，暂时不能提交。写好的内容会留着。");
document.body.prepend(bar);
const look = () => { bar.hidden = navigator.onLine !== false; };
window.addEventListener("online", () => { look(); document.querySelectorAll(".form-down").forEach((line) => line.remove()); });
window.addEventListener("offline", look);
look();

const alarm = document.querySelector('[role="alert"]');
if (alarm) { alarm.tabIndex = -1; alarm.focus(); }
