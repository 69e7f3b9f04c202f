// The enterprise's chat: sends with idempotent ids, receives by sequence, never shows a message twice or loses one.
import { autoGrow, clockTime, copyText, el, enterSends, icon, newId, store, toast } from "./dom.js";
import { openStream } from "./stream.js";
import { generatedBubble, renderBody, renderMeta } from "./chat-message.js";
import { renderForm } from "./chat-form.js";
import { pickFiles } from "./chat-files.js";
import { offerWechat } from "./chat-wechat.js";

const API = "/api/chat";
const $ = (id) => document.getElementById(id);
const log = $("log");
const input = $("text");
const pill = $("pill");
const embed = document.body.dataset.embed === "1";

const messages = new Map(); // seq → message
let lastSeq = 0;
let session = store.get("zt.session");
let conversation = { state: "bot" };
let outbox = store.get("zt.outbox") || []; // { client_id, text, at, failed }
let sending = false;
let stream = null;
let held = []; // own messages that the stream delivered while their request was still under way
let starting = null;

/* ---- requests ------------------------------------------------------- */

class Refused extends Error {
  constructor(status, problem) {
    super((problem && (problem.detail || problem.title)) || "请求没有成功");
    this.status = status;
    this.problem = problem || {};
  }
}

function headers() {
  return session && session.token ? { Authorization: "Bearer " + session.token } : {};
}

async function call(method, path, body, retried) {
  const options = { method, headers: headers(), credentials: "same-origin", cache: "no-store" };
  if (body instanceof FormData) options.body = body;
  else if (body !== undefined) {
    options.headers["Content-Type"] = "application/json";
    options.body = JSON.stringify(body);
  }
  const answer = await fetch(API + path, options);
  const data = (answer.headers.get("content-type") || "").includes("json") ? await answer.json().catch(() => null) : null;
  if (answer.status === 401 && !retried && path !== "/sessions") {
    await restart();
    return call(method, path, body, true);
  }
  if (!answer.ok) throw new Refused(answer.status, data);
  return data || {};
}

function begin() {
  if (!starting) {
    starting = (async () => {
      const data = await call("POST", "/sessions", {});
      const changed = session && session.conversation_id !== data.conversation_id;
      session = { conversation_id: data.conversation_id, token: data.token || (session && session.token) };
      store.set("zt.session", session);
      if (changed) clear();
      if (data.conversation) setConversation(data.conversation);
      if (!stream) listen();
    })().finally(() => { starting = null; });
  }
  return starting;
}

async function restart() {
  session = null;
  store.del("zt.session");
  await begin();
}

function clear() {
  dropDraft();
  messages.clear();
  lastSeq = 0;
  held = [];
  log.querySelectorAll(".msg, .when").forEach((node) => node.remove());
}

/* ---- receiving ------------------------------------------------------ */

function absorb(data) {
  if (!data) return;
  if (data.message) add(data.message);
  for (const reply of data.replies || data.messages || data.items || []) add(reply);
  if (data.conversation) setConversation(data.conversation);
}

function add(message) {
  if (!message || typeof message.seq !== "number" || messages.has(message.seq)) return;
  messages.set(message.seq, message);
  if (message.from === "visitor") settle(message);
  const near = isNear();
  const node = place(message);
  if (message.seq === lastSeq + 1) {
    while (messages.has(lastSeq + 1)) lastSeq += 1;
  } else if (message.seq > lastSeq) catchUp();
  if (message.from !== "visitor") {
    showTyping(null);
    dropDraft();
  }
  lookForWechat(message);
  refresh();
  if (message.from === "visitor") toEnd();
  else if (near) toNew(node);
  else $("more-below").hidden = false;
  if (embed && message.from !== "visitor") parent.postMessage({ type: "zhitong:message" }, "*");
}

/** Removes the local copy of a message that the server has. */
function settle(message) {
  let index = message.client_id ? outbox.findIndex((entry) => entry.client_id === message.client_id) : -1;
  if (index < 0 && !message.client_id) index = outbox.findIndex((entry) => entry.failed && entry.text === message.text);
  if (index < 0) return;
  const [entry] = outbox.splice(index, 1);
  saveOutbox();
  const bubble = pendingNode(entry.client_id);
  if (bubble) bubble.remove();
}

let fetching = null;
function catchUp() {
  if (!fetching) {
    fetching = (async () => {
      for (let round = 0; round < 50; round += 1) {
        const before = lastSeq;
        const data = await call("GET", "/messages?after=" + lastSeq);
        const items = data.items || data.messages || (Array.isArray(data) ? data : []);
        for (const message of items) {
          if (!messages.has(message.seq)) {
            messages.set(message.seq, message);
            if (message.from === "visitor") settle(message);
            place(message);
          }
          if (message.seq > lastSeq) lastSeq = message.seq;
        }
        if (data.conversation) setConversation(data.conversation);
        if (items.length === 0 || lastSeq === before) break;
      }
      refresh();
      toEnd();
    })().catch(() => {}).finally(() => { fetching = null; });
  }
  return fetching;
}

function listen() {
  if (stream) stream.stop();
  stream = openStream({
    url: API + "/stream",
    headers,
    lastId: () => lastSeq,
    onEvent(name, data) {
      if (name === "message") {
        const message = data.message || data;
        if (message.from === "visitor" && sending) held.push(message);
        else add(message);
      } else if (name === "typing") showTyping(data);
      else if (name === "draft") showDraft(data);
      else if (name === "state") setConversation(data.conversation || data);
    },
    onState(state) {
      if (state === "open") {
        connected(true);
        catchUp().then(() => retryFresh());
      } else if (state === "denied") {
        restart().then(listen).catch(() => { connected(false); setTimeout(listen, 5000); });
      } else connected(false);
    },
  });
}

/* ---- an answer of the model while it is written ----------------------- */

// Only sentences that passed their checks come; the message that follows takes their place, or they are taken away.
let draft = null; // { ticket, node, text }

function showDraft(data) {
  if (data.state === "dropped") {
    dropDraft();
    return;
  }
  if (data.state === "waiting") {
    showTyping({ from: "bot", text: data.text });
    return;
  }
  showTyping(null);
  const near = isNear();
  if (!draft || draft.ticket !== data.ticket || !data.text.startsWith(draft.text)) {
    dropDraft();
    const node = el("article", { class: "msg msg-bot msg-ai msg-draft", "aria-busy": "true" });
    node.append(renderMeta({ from: "bot", generated: true }), generatedBubble(""));
    $("typing").before(node);
    draft = { ticket: data.ticket, node, text: "" };
  }
  // What was read aloud is not read again: only the new sentences are added.
  draft.node.querySelector(".ai-text").append(data.text.slice(draft.text.length));
  draft.text = data.text;
  if (near) toEnd();
}

function dropDraft() {
  if (draft) draft.node.remove();
  draft = null;
}

/* ---- connection pill ------------------------------------------------ */

let pillTimer = 0;
let lostAt = 0;
function connected(ok) {
  if (ok) {
    clearTimeout(pillTimer);
    pillTimer = 0;
    lostAt = 0;
    pill.hidden = true;
    return;
  }
  if (!lostAt) lostAt = Date.now();
  clearTimeout(pillTimer);
  const show = () => {
    const offline = navigator.onLine === false || Date.now() - lostAt > 10000;
    pill.replaceChildren(icon(offline ? "offline" : "retry"), offline ? "网络不通，写好的话先存在本机，恢复后再发" : "正在重新连接…");
    pill.hidden = false;
    pillTimer = setTimeout(show, 2000);
  };
  pillTimer = setTimeout(show, Math.max(0, 1500 - (Date.now() - lostAt)));
}

/* ---- drawing -------------------------------------------------------- */

function isNear() {
  return log.scrollHeight - log.scrollTop - log.clientHeight < 120;
}
function toEnd() {
  requestAnimationFrame(() => { log.scrollTop = log.scrollHeight; $("more-below").hidden = true; });
}
/** Shows what came: its end, or its beginning where it is higher than the window (a form on a phone). */
function toNew(node) {
  requestAnimationFrame(() => {
    const room = log.clientHeight - 24;
    const tall = node && node.offsetHeight > room;
    log.scrollTop = tall ? log.scrollTop + node.getBoundingClientRect().top - log.getBoundingClientRect().top - 8 : log.scrollHeight;
    $("more-below").hidden = !tall || isNear();
  });
}

function place(message) {
  const node = draw(message);
  let after = null;
  for (const other of log.querySelectorAll(".msg[data-seq]")) {
    if (Number(other.dataset.seq) < message.seq) after = other;
    else break;
  }
  if (after) after.after(node);
  else $("log-start").after(node);
  return node;
}

function draw(message) {
  const card = message.card || message.form;
  const who = message.kind === "event" || (message.from === "system" && !card) ? "system" : card && message.from !== "officer" ? "bot" : message.from;
  const node = el("article", { class: "msg msg-" + who + (message.generated ? " msg-ai" : ""), dataset: { seq: String(message.seq), from: message.from } });
  if (who !== "system" && who !== "visitor") node.append(renderMeta(message));
  const body = message.form
    ? renderForm(message, { call, absorb, proposal: () => (newestForm() === message.seq ? conversation.proposal : null), decide })
    : renderBody(message, { call, copy, headers });
  node.append(body);
  return node;
}

/** Takes over or leaves what a model proposes for the form. */
async function decide(body) {
  try {
    const data = await call("POST", "/proposal", body);
    if (data.conversation) setConversation(data.conversation);
  } catch (problem) {
    // It is not what is proposed any more: look what is.
    if (problem instanceof Refused && problem.status === 409) catchUp();
    throw problem;
  }
}

/** The newest form shows what is proposed now. */
function showProposal() {
  const seq = newestForm();
  const form = seq && log.querySelector(`.msg[data-seq="${seq}"] form.form`);
  if (form && form.showProposal) {
    const near = isNear();
    form.showProposal();
    if (near) toEnd();
  }
}

function newestForm() {
  let newest = 0;
  for (const [seq, message] of messages) if (message.form && seq > newest) newest = seq;
  return newest;
}

/** A receipt after the form means that it was filed; the form is history then. */
function isFiled(seq) {
  for (const [other, message] of messages) if (other > seq && message.card && message.card.kind === "receipt") return true;
  return false;
}

/** What depends on neighbours: empty state, quick replies of the last message only, time lines, grouping. */
function refresh() {
  const nodes = [...log.querySelectorAll(".msg")];
  $("welcome").hidden = nodes.length > 0;
  document.body.classList.toggle("talking", nodes.length > 0);
  log.querySelectorAll(".quick").forEach((node) => node.remove());
  log.querySelectorAll(".when").forEach((node) => node.remove());
  let before = null;
  for (const node of nodes) {
    const message = messages.get(Number(node.dataset.seq));
    if (!message) continue;
    const gap = !before || new Date(message.at) - new Date(before.at) > 10 * 60000;
    if (gap) node.before(el("p", { class: "when" }, el("time", { datetime: message.at }, clockTime(message.at))));
    node.classList.toggle("msg-follow", !gap && before !== null && isSameSpeaker(before, message));
    before = message;
  }
  const newest = newestForm();
  for (const node of log.querySelectorAll(".msg .form")) {
    const seq = Number(node.closest(".msg").dataset.seq);
    const filed = isFiled(seq);
    const stale = seq !== newest || filed;
    if (stale !== node.classList.contains("form-old")) {
      node.classList.toggle("form-old", stale);
      node.inert = stale;
      node.querySelectorAll(".form-moved").forEach((line) => line.remove());
      if (stale) node.append(el("p", { class: "form-moved" }, filed ? "已提交，回执在下面" : "已更新，请看下面最新的登记表"));
    }
  }
  showProposal();
  const last = messages.get(lastSeq);
  if (last && last.from !== "visitor" && (last.quick_replies || []).length > 0 && conversation.state !== "closed") {
    const row = el("div", { class: "quick", role: "group", "aria-label": "可以直接点选" });
    // The card has its own 提交, which also sends what was corrected in it.
    for (const reply of last.quick_replies.filter((item) => !(last.form && item.text === "提交"))) row.append(el("button", { type: "button", class: "btn", onclick: () => send(reply.text || reply.label) }, reply.label));
    const node = log.querySelector(`.msg[data-seq="${lastSeq}"]`);
    if (node) node.append(row);
  }
}

/** Whether a message may stand under the header of the one before: what a model wrote never does under that of a rule. */
function isSameSpeaker(before, message) {
  return before.from === message.from && (before.author || {}).name === (message.author || {}).name && Boolean(before.generated) === Boolean(message.generated);
}

async function copy(text) {
  toast((await copyText(text)) ? "已复制 " + text : "没能复制，请长按号码手动复制");
}

let typingTimer = 0;
function showTyping(data) {
  const line = $("typing");
  clearTimeout(typingTimer);
  const on = data && data.active !== false && data.from !== "visitor";
  line.hidden = !on;
  if (!on) return;
  const name = data.name || (data.author && data.author.name);
  $("typing-text").textContent = data.from === "officer" ? (name ? name + " 正在输入" : "工作人员正在输入") : data.text || "正在查找答复";
  typingTimer = setTimeout(() => { line.hidden = true; }, data.from === "officer" ? 6000 : 15000);
  if (isNear()) toEnd();
}

/* ---- conversation state --------------------------------------------- */

function setConversation(next) {
  conversation = Object.assign({}, conversation, next);
  // A conversation as the server tells it says of a proposal that there is one, or nothing.
  if (next.id) conversation.proposal = next.proposal || null;
  showProposal();
  const officer = conversation.officer || conversation.author || {};
  const ahead = conversation.queue_position;
  const lines = {
    bot: "规则自动答复，随时可转人工",
    collecting: "正在登记您的事项，提交前都可以改",
    queued: typeof ahead === "number" && ahead > 0 ? `已转人工，您前面还有 ${ahead} 位` : "已转人工，正在等待工作人员接入",
    human: officer.name ? `${officer.unit ? officer.unit + " " : ""}${officer.name} 正在为您服务` : "工作人员正在为您服务",
    closed: "本次会话已结束",
  };
  $("status").textContent = lines[conversation.state] || lines.bot;
  $("status").dataset.state = conversation.state;
  const calling = conversation.state === "queued" || conversation.state === "human";
  $("human").disabled = calling;
  $("human-label").textContent = conversation.state === "queued" ? "排队中" : conversation.state === "human" ? "人工服务中" : "转人工";
  $("ended").hidden = conversation.state !== "closed";
}

/* ---- sending -------------------------------------------------------- */

function saveOutbox() {
  if (outbox.length) store.set("zt.outbox", outbox);
  else store.del("zt.outbox");
}

function pendingNode(id) {
  return log.querySelector(`.msg[data-client="${CSS.escape(id)}"]`);
}

function drawPending(entry) {
  let node = pendingNode(entry.client_id);
  if (!node) {
    node = el("article", { class: "msg msg-visitor msg-pending", dataset: { client: entry.client_id, from: "visitor" } });
    $("typing").before(node);
  }
  node.classList.toggle("msg-failed", Boolean(entry.failed));
  node.replaceChildren(el("div", { class: "bubble prewrap" }, entry.text));
  const foot = el("p", { class: "msg-foot" });
  if (entry.failed) {
    foot.append(
      icon("warn"), entry.failed === true ? "未发送，" : entry.failed + "，",
      el("button", { type: "button", class: "link", onclick: () => { entry.failed = false; saveOutbox(); drawPending(entry); pump(); } }, "重试"),
      el("button", { type: "button", class: "link", onclick: () => takeBack(entry) }, "改一改"),
    );
  } else foot.append(el("span", { class: "spin", "aria-hidden": "true" }), "发送中");
  node.append(foot);
}

function takeBack(entry) {
  outbox = outbox.filter((other) => other.client_id !== entry.client_id);
  saveOutbox();
  const node = pendingNode(entry.client_id);
  if (node) node.remove();
  input.value = input.value ? entry.text + "\n" + input.value : entry.text;
  input.dispatchEvent(new Event("input"));
  input.focus();
}

function send(raw) {
  const text = raw.trim();
  if (!text) return;
  if (text === "提交" && submitForm()) return;
  if (text.length > 4000) {
    toast("一次最多 4000 字，请分几次发，或作为附件上传");
    return;
  }
  const entry = { client_id: newId(), text, at: Date.now(), failed: false };
  outbox.push(entry);
  saveOutbox();
  $("welcome").hidden = true;
  document.body.classList.add("talking");
  if (!store.get("zt.privacy")) store.set("zt.privacy", Date.now());
  $("first-use").hidden = true;
  input.placeholder = "说说您的事…";
  log.querySelectorAll(".quick").forEach((node) => node.remove());
  drawPending(entry);
  toEnd();
  pump();
}

/** 提交 typed in words sends the open card with its corrections. */
function submitForm() {
  const seq = newestForm();
  const form = seq && !messages.get(seq).form.submitted && !isFiled(seq) ? log.querySelector(`.msg[data-seq="${seq}"] form.form`) : null;
  if (!form) return false;
  form.requestSubmit();
  return true;
}

/** One request at a time keeps the order in which the person wrote. */
async function pump() {
  if (sending) return;
  const entry = outbox.find((waiting) => !waiting.failed);
  if (!entry) return;
  sending = true;
  const slow = setTimeout(() => { if (conversation.state === "bot" || conversation.state === "collecting") showTyping({ from: "bot" }); }, 400);
  try {
    if (!session) await begin();
    const data = await call("POST", "/messages", { client_id: entry.client_id, text: entry.text });
    outbox = outbox.filter((other) => other.client_id !== entry.client_id);
    saveOutbox();
    const node = pendingNode(entry.client_id);
    if (node) node.remove();
    connected(true);
    absorb(data);
  } catch (problem) {
    if (problem instanceof Refused && problem.status !== 429 && problem.status < 500) entry.failed = problem.message;
    else if (problem instanceof Refused && problem.status === 429) entry.failed = "发得太快了，请稍等几秒";
    else {
      entry.failed = true;
      connected(false);
    }
    saveOutbox();
    drawPending(entry);
  }
  clearTimeout(slow);
  showTyping(null);
  sending = false;
  const waiting = held;
  held = [];
  waiting.forEach(add);
  if (!outbox.some((other) => other.failed === true)) pump();
}

/** After a reconnect, what failed for want of a network goes out by itself if it is still fresh. */
function retryFresh() {
  let any = false;
  for (const entry of outbox) {
    if (entry.failed === true && Date.now() - entry.at < 10 * 60000) {
      entry.failed = false;
      drawPending(entry);
      any = true;
    }
  }
  if (any) pump();
}

/* ---- page ----------------------------------------------------------- */

let typedAt = 0;
const fit = autoGrow(input);
input.value = store.get("zt.draft") || "";
input.addEventListener("input", () => {
  if (input.value) store.set("zt.draft", input.value);
  else store.del("zt.draft");
  $("send").disabled = input.value.trim() === "";
  if (input.value && conversation.state === "human" && Date.now() - typedAt > 3000) {
    typedAt = Date.now();
    call("POST", "/typing", {}).catch(() => {});
  }
});
input.dispatchEvent(new Event("input"));

function submitText() {
  const text = input.value;
  if (!text.trim()) return;
  send(text);
  input.value = "";
  input.dispatchEvent(new Event("input"));
  fit();
  input.focus();
}
enterSends(input, submitText);
$("composer").addEventListener("submit", (event) => { event.preventDefault(); submitText(); });

pickFiles({
  button: $("attach"), picker: $("file"), area: document.querySelector(".chat"), paste: input, tray: $("uploads"),
  upload: async (file, onProgress) => {
    if (!session) await begin();
    return { url: API + "/attachments", headers: headers(), file, onProgress };
  },
  done: (data) => { absorb(data); if (!data.message && !data.replies) catchUp(); },
});

document.querySelectorAll("[data-tile]").forEach((tile) => tile.addEventListener("click", () => {
  if (tile.dataset.say) {
    send(tile.dataset.say);
    return;
  }
  document.querySelectorAll("[data-tile]").forEach((other) => other.setAttribute("aria-expanded", String(other === tile)));
  document.querySelectorAll("[data-examples]").forEach((box) => { box.hidden = box.dataset.examples !== tile.dataset.tile; });
  input.placeholder = tile.dataset.hint;
  input.focus({ preventScroll: true });
}));
document.querySelectorAll("[data-example]").forEach((button) => button.addEventListener("click", () => {
  input.value = button.textContent.trim();
  input.dispatchEvent(new Event("input"));
  input.focus();
}));

let askedAt = 0;
$("human").addEventListener("click", async () => {
  if (Date.now() - askedAt < 3000) return;
  askedAt = Date.now();
  $("human").setAttribute("aria-busy", "true");
  try {
    if (!session) await begin();
    absorb(await call("POST", "/handoff", { client_id: newId() }));
    catchUp();
  } catch (problem) {
    toast(problem instanceof Refused ? problem.message : "网络不通，没能转人工，请稍后再点");
  }
  $("human").removeAttribute("aria-busy");
});

$("restart").addEventListener("click", async () => {
  session = null;
  store.del("zt.session");
  conversation = { state: "bot" };
  clear();
  await begin().catch(() => connected(false));
  setConversation({ state: "bot" });
  refresh();
  listen();
  input.focus();
});

$("more-below").addEventListener("click", toEnd);
log.addEventListener("scroll", () => { if (isNear()) $("more-below").hidden = true; }, { passive: true });

const privacy = $("privacy");
document.querySelectorAll("[data-privacy]").forEach((button) => button.addEventListener("click", () => privacy.showModal()));
if (!store.get("zt.privacy")) $("first-use").hidden = false;
$("first-use-ok").addEventListener("click", () => { store.set("zt.privacy", Date.now()); $("first-use").hidden = true; });

if (embed) {
  $("close-embed").hidden = false;
  $("close-embed").addEventListener("click", () => parent.postMessage({ type: "zhitong:close" }, "*"));
  document.addEventListener("keydown", (event) => { if (event.key === "Escape" && !privacy.open) parent.postMessage({ type: "zhitong:close" }, "*"); });
}

// A talk under way is taken up again; a first visit opens no session before the first word.
for (const entry of outbox) { entry.failed = entry.failed || true; drawPending(entry); }
if (outbox.length) $("welcome").hidden = true;
document.body.classList.add("ready");
function resume() {
  begin().then(catchUp).catch((problem) => {
    if (problem instanceof Refused && problem.status < 500) return;
    connected(false);
    setTimeout(resume, 4000);
  });
}
const lookForWechat = offerWechat({ call, ready: () => (session ? Promise.resolve() : begin()) });
// Back from WeChat's login: the cookie tells which conversation it is, whatever was kept here before.
if (new URLSearchParams(location.search).has("wechat")) {
  session = null;
  store.del("zt.session");
  history.replaceState(null, "", location.pathname);
  resume();
} else if (session) resume();
window.addEventListener("online", () => { if (stream) stream.kick(); else if (session) resume(); retryFresh(); });
