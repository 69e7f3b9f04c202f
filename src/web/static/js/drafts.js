// Words that somebody has begun to write, kept in this browser until they were taken: per conversation, per case. They
// are as old as their last change at most, and whoever leaves a shared computer takes them along (`dropDrafts`).
import { store } from "./dom.js";

const HOUR = 3600000;

/** One draft under a key of its own: `get()` gives nothing once it is older than `hours`. */
export function draft(key, hours) {
  return {
    get() {
      const kept = store.get(key);
      if (!kept || typeof kept.at !== "number") return null;
      if (Date.now() - kept.at > hours * HOUR) {
        store.del(key);
        return null;
      }
      return kept.value;
    },
    set(value) { store.set(key, { at: Date.now(), value }); },
    del() { store.del(key); },
  };
}

/** Takes away every draft whose key begins so, but for the keys in `but`. */
export function dropDrafts(prefix, but = []) {
  try {
    for (const key of Object.keys(localStorage)) if (key.startsWith(prefix) && !but.includes(key)) localStorage.removeItem(key);
  } catch { /* no storage: nothing was kept */ }
}

/** What a person can fill in; what the page itself put into a form is no draft. */
const controls = (form) => [...form.elements].filter((node) => node.name && node.type !== "hidden" && node.type !== "password" && node.tagName !== "BUTTON");

function read(form) {
  const values = {};
  for (const node of controls(form)) {
    if (node.type === "radio" || node.type === "checkbox") {
      if (node.checked) values[node.name] = [...(values[node.name] || []), node.value];
    } else if (node.value !== "") values[node.name] = [node.value];
  }
  return values;
}

function write(form, values) {
  for (const node of controls(form)) {
    const mine = values[node.name];
    if (!mine) continue;
    if (node.type === "radio" || node.type === "checkbox") node.checked = mine.includes(node.value);
    else node.value = mine[0];
    node.dispatchEvent(new Event("input", { bubbles: true }));
  }
}

/**
 * Keeps what is typed into a plain form and puts it back when the page comes again; says whether there was something.
 * A form sent again unchanged, because its answer was lost, goes out under the same `key` and is taken once.
 */
export function keepForm(form, key, hours) {
  const kept = draft(key, hours);
  const found = kept.get();
  const token = form.elements.namedItem("key");
  let sent = (found && found.sent) || null;
  if (found && found.values) write(form, found.values);
  const note = () => {
    const values = read(form);
    if (Object.keys(values).length) kept.set({ values, sent });
    else kept.del();
  };
  form.addEventListener("input", note);
  form.addEventListener("change", note);
  return {
    restored: Boolean(found && found.values && Object.keys(found.values).length),
    /** Called when the form is about to be sent. */
    sending() {
      const now = JSON.stringify(read(form));
      if (token && sent && sent.values === now) token.value = sent.key;
      sent = token ? { key: token.value, values: now } : null;
      kept.set({ values: read(form), sent });
    },
  };
}
