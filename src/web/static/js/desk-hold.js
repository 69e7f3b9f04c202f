// What an officer sends or ends is held back for a moment and can be taken back. Until then it exists in this browser
// alone: kept in its storage, and handed to the server when the time is over, when the page is left, or when the
// conversation is opened again. On the server it is durable as soon as it is sent, and never sent twice.
import { el, icon, newId, store } from "./dom.js";

/** How long it can be taken back, in milliseconds. */
export const HOLD = 15000;

/**
 * Holds one message of a conversation.
 * @param {object} options id, send(message, {leaving}) → promise, changed(), back(text, words)
 */
export function holdMessages({ id, send, changed, back }) {
  const key = "zt.desk.held." + id;
  let held = null;
  let ticking = 0;
  let busy = null;

  function keep() {
    if (held) store.set(key, held);
    else store.del(key);
  }
  function tick() {
    clearInterval(ticking);
    if (!held || held.waits) return;
    ticking = setInterval(() => {
      if (Date.now() >= held.due) flush();
      else changed();
    }, 1000);
  }

  /** Sends now what is held; resolves when the server has it or it lies in the box again. */
  function flush(options) {
    if (!held) return Promise.resolve();
    if (busy) return busy;
    clearInterval(ticking);
    const message = held;
    busy = send(message, options || {}).then(() => { held = null; keep(); }, (error) => {
      if (!error.status) { held.waits = "没有发出去，请检查网络"; keep(); changed(); return; }
      held = null;
      keep();
      back(message.text, error, message.suggestion);
    }).finally(() => { busy = null; });
    return busy;
  }

  const hold = {
    shown: false,
    flush,
    /** Begins to hold; what was held before goes first. */
    async begin(text, after, suggestion) {
      await flush();
      held = { client_id: newId(), text, after_seq: after, suggestion, due: Date.now() + HOLD, waits: "" };
      keep();
      tick();
      changed();
    },
    undo() {
      if (!held || busy) return;
      const { text, suggestion } = held;
      clearInterval(ticking);
      held = null;
      keep();
      back(text, null, suggestion);
      changed();
    },
    /** The other side has spoken: the officer decides again. */
    pause() {
      if (!held || busy || held.waits) return;
      clearInterval(ticking);
      held.waits = "对方又说了话，看过再发";
      keep();
    },
    /** What was left behind by an earlier page: sent if it was just now, else put back into the box. */
    resume(known) {
      const left = store.get(key);
      if (!left || held) return;
      if (known.includes(left.client_id)) { store.del(key); return; }
      if (Date.now() - left.due > 60000) { store.del(key); back(left.text, null); return; }
      held = left;
      if (left.waits) changed(); else if (Date.now() >= left.due) flush(); else tick();
    },
    leave() {
      clearInterval(ticking);
      if (held && !held.waits) send(held, { leaving: true }).then(() => store.del(key)).catch(() => { /* it is in the storage and comes back with the conversation */ });
    },
    /** Whether the time runs: then only the words change. */
    waiting: () => Boolean(held) && !held.waits,
    /** What stands beside the bubble now. */
    words: () => (held ? held.waits || `${Math.max(0, Math.ceil((held.due - Date.now()) / 1000))} 秒后发出` : ""),
    /** The bubble of what is held; nothing if nothing is. */
    draw(newest) {
      if (!held) return null;
      const go = () => { held.after_seq = newest(); held.waits = ""; flush(); };
      return el("article", { class: "msg msg-officer msg-pending", id: "held" },
        el("div", { class: "bubble prewrap" }, held.text),
        el("p", { class: "msg-undo" }, icon(held.waits ? "warn" : "clock"), el("span", { id: "held-words", "aria-live": "off" }, hold.words()),
          el("button", { type: "button", class: "link", id: "held-undo", onclick: () => hold.undo() }, held.waits ? "改一改" : "撤回"),
          el("button", { type: "button", class: "link", id: "held-now", onclick: go }, held.waits ? "照发" : "现在就发")));
    },
  };
  return hold;
}
