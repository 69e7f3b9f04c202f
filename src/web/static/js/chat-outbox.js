// What the person wrote and the server has not yet: kept in this browser, one request at a time, never shown twice.
import { el, icon, store } from "./dom.js";

/** Sent again by itself after a lost connection, if it is not older than this. */
const FRESH = 10 * 60000;

/**
 * `deliver(entry)` sends one and resolves with the answer; `took(answer)` shows it; `slow(on)` tells that it takes time;
 * `reword(text)` puts words back into the composer.
 */
export function openOutbox({ log, deliver, took, slow, lost, reword }) {
  let entries = store.get("zt.outbox") || []; // { client_id, text, at, failed }
  let sending = false;

  function save() {
    if (entries.length) store.set("zt.outbox", entries);
    else store.del("zt.outbox");
  }

  const nodeOf = (id) => log.querySelector(`.msg[data-client="${CSS.escape(id)}"]`);

  function forget(entry) {
    entries = entries.filter((other) => other.client_id !== entry.client_id);
    save();
    const node = nodeOf(entry.client_id);
    if (node) node.remove();
  }

  function draw(entry) {
    let node = nodeOf(entry.client_id);
    if (!node) {
      node = el("article", { class: "msg msg-visitor msg-pending", dataset: { client: entry.client_id, from: "visitor" } });
      document.getElementById("typing").before(node);
    }
    node.classList.toggle("msg-failed", Boolean(entry.failed));
    node.replaceChildren(el("div", { class: "bubble prewrap" }, entry.text));
    const foot = el("p", { class: "msg-foot" });
    if (entry.failed) {
      foot.append(
        icon("warn"), entry.failed === true ? "未发送，" : entry.failed.replace(/[。，]$/, "") + "，",
        el("button", { type: "button", class: "link", onclick: () => { entry.failed = false; save(); draw(entry); pump(); } }, "重试"),
        el("button", { type: "button", class: "link", onclick: () => { forget(entry); reword(entry.text); } }, "改一改"),
      );
    } else foot.append(el("span", { class: "spin", "aria-hidden": "true" }), "发送中");
    node.append(foot);
  }

  /** One request at a time keeps the order in which the person wrote. */
  async function pump() {
    if (sending) return;
    const entry = entries.find((waiting) => !waiting.failed);
    if (!entry) return;
    sending = true;
    const timer = setTimeout(() => slow(true), 400);
    let answer = null;
    try {
      answer = await deliver(entry);
      forget(entry);
    } catch (problem) {
      const status = problem.status || 0;
      entry.failed = status && status < 500 ? problem.message : true;
      if (entry.failed === true) lost();
      save();
      draw(entry);
    }
    clearTimeout(timer);
    slow(false);
    sending = false;
    took(answer);
    if (!entries.some((other) => other.failed === true)) pump();
  }

  return {
    pump,
    isSending: () => sending,
    isEmpty: () => entries.length === 0,
    add(entry) {
      entries.push(entry);
      save();
      draw(entry);
      pump();
    },
    /** Removes the local copy of a message that the server has. */
    settle(message) {
      let entry = message.client_id && entries.find((one) => one.client_id === message.client_id);
      if (!entry && !message.client_id) entry = entries.find((one) => one.failed && one.text === message.text);
      if (entry) forget(entry);
    },
    /** What was left over when the page was closed. */
    show() {
      for (const entry of entries) {
        entry.failed = entry.failed || true;
        draw(entry);
      }
    },
    /** After a reconnect, what failed for want of a network goes out by itself if it is still fresh. */
    retryFresh() {
      for (const entry of entries) {
        if (entry.failed === true && Date.now() - entry.at < FRESH) {
          entry.failed = false;
          draw(entry);
        }
      }
      pump();
    },
  };
}
