// Words that somebody has begun to write, kept in this browser until they were taken: per conversation, per case and action. They
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

/** The name of a control; ticks and rows of a group stand under the group's. */
function nameOf(node) {
  if (node.name) return node.name;
  const group = node.closest("fieldset[name]");
  if (!group) return "";
  const row = node.closest(".rows-item");
  return row ? `${group.name}/${[...group.querySelectorAll(".rows-item")].indexOf(row)}/${node.dataset.col}` : group.name;
}

/** What a person can fill in; what the page itself put into a form is no draft. */
const controls = (form) => [...form.elements].filter((node) => nameOf(node) && node.type !== "hidden" && node.type !== "password" && !/^(BUTTON|FIELDSET)$/.test(node.tagName));

function read(form) {
  const values = {};
  for (const node of controls(form)) {
    const name = nameOf(node);
    if (node.type === "radio" || node.type === "checkbox") {
      if (node.checked) values[name] = [...(values[name] || []), node.value];
    } else if (node.value !== "") values[name] = [node.value];
  }
  return values;
}

function write(form, values) {
  for (const group of form.querySelectorAll("fieldset.rows")) {
    const rows = Object.keys(values).filter((name) => name.startsWith(group.name + "/")).map((name) => Number(name.split("/")[1]) + 1);
    for (let n = group.querySelectorAll(".rows-item").length; n < Math.max(0, ...rows); n += 1) group.querySelector("[data-row-add]").click();
  }
  for (const node of controls(form)) {
    const mine = values[nameOf(node)];
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
    /** It was taken: nothing of it is kept. */
    drop() { kept.del(); },
    /** Called when the form is about to be sent. */
    sending() {
      const now = JSON.stringify(read(form));
      if (token && sent && sent.values === now) token.value = sent.key;
      sent = token ? { key: token.value, values: now } : null;
      kept.set({ values: read(form), sent });
    },
  };
}
