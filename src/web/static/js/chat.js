// The enterprise's chat: sends with idempotent ids, receives by sequence, never shows a message twice or loses one.
import { autoGrow, clockTime, copyText, el, enterSends, newId, store, toast } from "./dom.js";
import { draft as keptDraft, dropDrafts } from "./drafts.js";
import { openStream } from "./stream.js";
import { openLog } from "./chat-log.js";
import { openOutbox } from "./chat-outbox.js";
import { connected, showState, showTyping as typing } from "./chat-status.js";
import { generatedBubble, renderBody, renderMeta } from "./chat-message.js";
import { formWords, renderForm } from "./chat-form.js";
import { pickFiles } from "./chat-files.js";
import { offerWechat } from "./chat-wechat.js";

const API = "/api/chat";
/** Messages fetched when the page opens, and each time older ones are wanted. */
const PAGE = 40;
/** A form that nobody has touched for a month is no draft any more. */
const FORM_HOURS = 30 * 24;
const $ = (id) => document.getElementById(id);
const log = $("log");
const input = $("text");
const embed = document.body.dataset.embed === "1";
const framed = window.top !== window;
// The script of the other site waits for this word: a frame that was refused says nothing.
if (embed && framed) parent.postMessage({ type: "zhitong:ready" }, "*");

const messages = new Map(); // seq → message
let firstSeq = 1; // all from here on are there
let lastSeq = 0;
let session = store.get("zt.session");
let conversation = { state: "bot" };
let stream = null;
let offered = ""; // key of what was typed into the form of a conversation that is over
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

/** Words and calls for a person hold in a new conversation too; a form or a file belongs to the one that is over. */
const ANYWHERE = ["/messages", "/handoff"];

async function call(method, path, body, retried) {
  const options = { method, headers: headers(), credentials: "same-origin", cache: "no-store" };
  if (body !== undefined) {
    options.headers["Content-Type"] = "application/json";
    options.body = JSON.stringify(body);
  }
  const answer = await fetch(API + path, options);
  const data = (answer.headers.get("content-type") || "").includes("json") ? await answer.json().catch(() => null) : null;
  if (answer.status === 401 && !retried && path !== "/sessions") {
    await restart();
    if (method === "POST" && ANYWHERE.includes(path)) return call(method, path, body, true);
  }
  if (!answer.ok) throw new Refused(answer.status, data);
  return data || {};
}

/** Starts or resumes the conversation; the newest messages are all that is fetched. */
function begin() {
  if (!starting) {
    starting = (async () => {
      const known = session && session.conversation_id;
      const data = await call("POST", "/sessions", embed && framed ? { embedded: true } : {});
      session = { conversation_id: data.conversation_id, token: data.token || (session && session.token) };
      store.set("zt.session", session);
      if (known && known !== session.conversation_id) renewed(known);
      if (messages.size === 0) from(Math.max(0, ((data.conversation || {}).seq || 0) - PAGE));
      if (data.conversation) setConversation(data.conversation);
    })().finally(() => { starting = null; });
  }
  return starting;
}

function from(seq) {
  lastSeq = seq;
  firstSeq = seq + 1;
  $("older").hidden = seq === 0;
}

/** Session, newest messages, and only then the stream: the page opens at once where it ends. */
async function takeUp() {
  await begin();
  if (messages.size === 0 && conversation.seq > lastSeq) await catchUp();
  if (!stream) listen();
}

async function restart() {
  session = session && { conversation_id: session.conversation_id };
  await begin();
}

/** The conversation that was here is over or its token is; what was typed for it is offered, not lost. */
function renewed(before) {
  clear();
  offered = "zt.form." + before;
  const kept = keptDraft(offered, FORM_HOURS);
  const words = formWords(kept.get());
  $("renewed").hidden = false;
  $("renewed-take").hidden = !words;
  $("renewed-take").onclick = () => {
    $("renewed").hidden = true;
    kept.del();
    reword(words);
  };
}

function clear() {
  dropAnswer();
  messages.clear();
  held = [];
  from(0);
  log.querySelectorAll(".msg[data-seq], .when").forEach((node) => node.remove());
}

/* ---- receiving ------------------------------------------------------ */

function absorb(data, mine) {
  if (!data) return;
  receive([data.message, ...(data.replies || data.messages || data.items || [])], mine);
  if (data.conversation) setConversation(data.conversation);
}

/** Shows what is new of these; `mine` came upon something the person has just done here and is brought into sight. */
function receive(list, mine) {
  const fresh = list.filter((message) => message && typeof message.seq === "number" && !messages.has(message.seq));
  if (fresh.length === 0) return;
  const near = mine || view.isNear();
  let first = null;
  let spoken = false;
  for (const message of fresh) {
    const node = keep(message);
    if (message.seq === lastSeq + 1) {
      while (messages.has(lastSeq + 1)) lastSeq += 1;
    } else if (message.seq > lastSeq) catchUp();
    if (message.from === "visitor") continue;
    spoken = true;
    first = first || node;
    lookForWechat(message);
  }
  if (spoken) {
    showTyping(null);
    dropAnswer();
    if (embed) parent.postMessage({ type: "zhitong:message" }, "*");
  }
  refresh();
  if (first && near) view.toNew(first);
  else if (first) view.news();
  // The stream may have brought the answer before: then that is in sight, not the end of it.
  else if (near && fresh[fresh.length - 1].seq >= lastSeq) view.toEnd();
}

function keep(message) {
  messages.set(message.seq, message);
  if (message.from === "visitor") outbox.settle(message);
  return view.place(message);
}

async function fetchFrom(after, limit) {
  const data = await call("GET", `/messages?after=${after}&limit=${limit}`);
  return { items: data.items || [], conversation: data.conversation };
}

let fetching = null;
/** Whatever came since the last number. */
function catchUp() {
  if (!fetching) {
    fetching = (async () => {
      const opening = messages.size === 0;
      for (let round = 0; round < 50; round += 1) {
        const before = lastSeq;
        const data = await fetchFrom(lastSeq, 200);
        const fresh = data.items.filter((message) => !messages.has(message.seq));
        const near = opening || view.isNear();
        const nodes = fresh.map(keep);
        for (const message of data.items) if (message.seq > lastSeq) lastSeq = message.seq;
        if (data.conversation) setConversation(data.conversation);
        if (nodes.length) {
          refresh();
          if (opening) view.toNew(nodes[nodes.length - 1]);
          else if (near) view.toNew(nodes[0]);
          else view.news();
        }
        if (data.items.length < 200 || lastSeq === before) break;
      }
    })().catch(() => {}).finally(() => { fetching = null; });
  }
  return fetching;
}

/** The part before the first one that is there; tells whether there is still more. */
async function fetchOlder() {
  const after = Math.max(0, firstSeq - 1 - PAGE);
  const data = await fetchFrom(after, firstSeq - 1 - after);
  view.hold(() => {
    for (const message of data.items) if (!messages.has(message.seq)) keep(message);
    refresh();
  });
  firstSeq = after + 1;
  return after > 0;
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
        if (message.from === "visitor" && outbox.isSending()) held.push(message);
        else receive([message]);
      } else if (name === "typing") showTyping(data);
      else if (name === "draft") showAnswer(data);
      else if (name === "state") setConversation(data.conversation || data);
    },
    onState(state) {
      if (state === "open") {
        connected(true);
        catchUp().then(() => outbox.retryFresh());
      } else if (state === "denied") {
        restart().then(listen).catch(() => { connected(false); setTimeout(listen, 5000); });
      } else connected(false);
    },
  });
}

function showTyping(data) {
  const near = view.isNear();
  if (typing(data) && near) view.toEnd();
}

/* ---- an answer of the model while it is written ----------------------- */

// Only sentences that passed their checks come; the message that follows takes their place, or they are taken away.
let answer = null; // { ticket, node, text }

function showAnswer(data) {
  if (data.state === "dropped") {
    dropAnswer();
    return;
  }
  if (data.state === "waiting") {
    showTyping({ from: "bot", text: data.text });
    return;
  }
  showTyping(null);
  const near = view.isNear();
  if (!answer || answer.ticket !== data.ticket || !data.text.startsWith(answer.text)) {
    dropAnswer();
    const node = el("article", { class: "msg msg-bot msg-ai msg-draft", "aria-busy": "true" });
    node.append(renderMeta({ from: "bot", generated: true }), generatedBubble(""));
    $("typing").before(node);
    answer = { ticket: data.ticket, node, text: "" };
  }
  // What was read aloud is not read again: only the new sentences are added.
  answer.node.querySelector(".ai-text").append(data.text.slice(answer.text.length));
  answer.text = data.text;
  if (near) view.toEnd();
}

function dropAnswer() {
  if (answer) answer.node.remove();
  answer = null;
}

/* ---- drawing -------------------------------------------------------- */

const view = openLog({ log, more: $("more-below"), older: $("older"), draw, fetchOlder });

function draw(message) {
  const card = message.card || message.form;
  const who = message.kind === "event" || (message.from === "system" && !card) ? "system" : card && message.from !== "officer" ? "bot" : message.from;
  const node = el("article", { class: "msg msg-" + who + (message.generated ? " msg-ai" : ""), dataset: { seq: String(message.seq), from: message.from } });
  if (who !== "system" && who !== "visitor") node.append(renderMeta(message));
  const body = message.form
    ? renderForm(message, {
      call, decide, absorb: (data) => absorb(data, true),
      draft: keptDraft("zt.form." + (session || {}).conversation_id, FORM_HOURS),
      proposal: () => (newestForm() === message.seq ? conversation.proposal : null),
    })
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
    const near = view.isNear();
    form.showProposal();
    if (near) view.toEnd();
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
  const nodes = [...log.querySelectorAll(".msg:not(.typing)")];
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

/* ---- conversation state --------------------------------------------- */

function setConversation(next) {
  conversation = Object.assign({}, conversation, next);
  // A conversation as the server tells it says of a proposal that there is one, or nothing.
  if (next.id) conversation.proposal = next.proposal || null;
  showProposal();
  showState(conversation);
}

/* ---- sending -------------------------------------------------------- */

const outbox = openOutbox({
  log,
  deliver: async (entry) => {
    if (!session) await takeUp();
    const data = await call("POST", "/messages", { client_id: entry.client_id, text: entry.text });
    connected(true);
    return data;
  },
  took(data) {
    absorb(data, true);
    const waiting = held;
    held = [];
    receive(waiting);
    if (!stream && session) listen();
  },
  slow(on) {
    if (!on) showTyping(null);
    else if (conversation.state === "bot" || conversation.state === "collecting") showTyping({ from: "bot" });
  },
  lost: () => connected(false),
  reword,
});

/** Puts words into the composer, before what stands there. */
function reword(words) {
  input.value = input.value ? words + "\n" + input.value : words;
  input.dispatchEvent(new Event("input"));
  input.focus();
}

function send(raw) {
  const text = raw.trim();
  if (!text) return false;
  if (text === "提交" && submitForm()) return true;
  if (text.length > 4000) {
    toast("一次最多 4000 字，请分几次发，或作为附件上传");
    return false;
  }
  $("welcome").hidden = true;
  $("renewed").hidden = true;
  document.body.classList.add("talking");
  if (!store.get("zt.privacy")) store.set("zt.privacy", Date.now());
  $("first-use").hidden = true;
  input.placeholder = "说说您的事…";
  log.querySelectorAll(".quick").forEach((node) => node.remove());
  outbox.add({ client_id: newId(), text, at: Date.now(), failed: false });
  view.toEnd();
  return true;
}

/** 提交 typed in words sends the open card with its corrections. */
function submitForm() {
  const seq = newestForm();
  const form = seq && !messages.get(seq).form.submitted && !isFiled(seq) ? log.querySelector(`.msg[data-seq="${seq}"] form.form`) : null;
  if (!form) return false;
  form.requestSubmit();
  return true;
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
  // What is too long stays where it was written.
  if (!send(input.value)) return;
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
    if (!session) await takeUp();
    return { url: API + "/attachments", headers: headers(), file, onProgress };
  },
  denied: restart,
  done: (data) => { absorb(data, true); if (!data.message && !data.replies) catchUp(); },
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
    if (!session) await takeUp();
    absorb(await call("POST", "/handoff", { client_id: newId() }), true);
    catchUp();
  } catch (problem) {
    toast(problem instanceof Refused ? problem.message : "网络不通，没能转人工，请稍后再点");
  }
  $("human").removeAttribute("aria-busy");
});

$("restart").addEventListener("click", async () => {
  $("restart").disabled = true;
  if (session) keptDraft("zt.form." + session.conversation_id, FORM_HOURS).del();
  session = null;
  store.del("zt.session");
  clear();
  await begin().catch(() => connected(false));
  setConversation({ state: "bot" });
  refresh();
  listen();
  $("restart").disabled = false;
  input.focus();
});

$("renewed-ok").addEventListener("click", () => { $("renewed").hidden = true; });

const privacy = $("privacy");
document.querySelectorAll("[data-privacy]").forEach((button) => button.addEventListener("click", () => {
  privacy.showModal();
  // The button at its foot has the focus; one begins to read at the top.
  privacy.scrollTop = 0;
}));
if (store.get("zt.privacy")) $("first-use").hidden = true;
$("first-use-ok").addEventListener("click", () => { store.set("zt.privacy", Date.now()); $("first-use").hidden = true; });

if (embed) {
  $("close-embed").hidden = false;
  $("close-embed").addEventListener("click", () => parent.postMessage({ type: "zhitong:close" }, "*"));
  // The first Esc closes what lies above the talk, the next one the window.
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && !document.querySelector("dialog[open], details.menu[open]")) parent.postMessage({ type: "zhitong:close" }, "*");
  }, { capture: true });
}

// A talk under way is taken up again; a first visit opens no session before the first word.
outbox.show();
if (!outbox.isEmpty()) $("welcome").hidden = true;
document.body.classList.add("ready");
function resume() {
  takeUp().then(() => {
    document.body.classList.add("opened");
    if (session) dropDrafts("zt.form.", ["zt.form." + session.conversation_id, offered]);
  }).catch((problem) => {
    const wait = problem instanceof Refused && problem.status === 429 ? 15000 : 4000;
    if (problem instanceof Refused && problem.status < 500 && problem.status !== 429) {
      document.body.classList.add("opened");
      toast(problem.message);
      return;
    }
    connected(false);
    setTimeout(resume, wait);
  });
}
const lookForWechat = offerWechat({ call, ready: () => (session ? Promise.resolve() : takeUp()) });
// Back from WeChat's login: the cookie tells which conversation it is, whatever was kept here before.
if (new URLSearchParams(location.search).has("wechat")) {
  session = null;
  store.del("zt.session");
  history.replaceState(null, "", location.pathname);
  resume();
} else if (session || document.body.dataset.session === "1") resume();
else document.body.classList.add("opened");
window.addEventListener("online", () => { if (stream) stream.kick(); else if (session) resume(); outbox.retryFresh(); });
window.addEventListener("offline", () => connected(false));
