// The desk as a whole: live updates, moving between items, dialogs for the actions of a case.
import { el, newId, store, toast } from "./dom.js";
import { draft, dropDrafts, keepForm } from "./drafts.js";
import { openStream } from "./stream.js";
import { openTalk } from "./desk-talk.js";
import { openKeys } from "./desk-keys.js";
import { reviewed, suggestionOf, watchCase } from "./desk-suggest.js";

const meta = (name) => (document.querySelector(`meta[name="${name}"]`) || {}).content || "";

/** A call of the staff API with the session's CSRF token; `leaving` lets it outlive the page. */
export async function api(method, path, body, extra, leaving) {
  const headers = Object.assign({ Accept: "application/json", "X-CSRF-Token": meta("csrf-token") }, extra || {});
  const options = { method, headers, credentials: "same-origin", cache: "no-store", keepalive: Boolean(leaving) };
  if (body instanceof FormData) options.body = body;
  else if (body !== undefined) {
    headers["Content-Type"] = "application/json";
    options.body = JSON.stringify(body);
  }
  let answer;
  try {
    answer = await fetch(path, options);
  } catch {
    throw Object.assign(new Error("网络不通，没有办成，请检查网络后再试"), { status: 0, problem: {} });
  }
  if (answer.status === 401) {
    location.assign("/login?next=" + encodeURIComponent(location.pathname + location.search));
    throw Object.assign(new Error("登录已失效"), { status: 401, problem: {} });
  }
  const text = await answer.text();
  let data = null;
  try { data = text ? JSON.parse(text) : null; } catch { /* judged by status */ }
  if (!answer.ok) throw Object.assign(new Error((data && (data.detail || data.title)) || "没有办成，请再试一次"), { status: answer.status, problem: data || {} });
  return data || {};
}

/* ---- bell ------------------------------------------------------------ */

const bell = document.getElementById("bell-count");
function setBell(n) {
  bell.dataset.n = String(n);
  bell.textContent = n > 99 ? "99+" : String(n);
  bell.hidden = n === 0;
  document.getElementById("bell").setAttribute("aria-label", n ? `通知，${n} 条未读` : "通知");
}

/** What was told about the case or conversation on the screen counts as read. */
function markOpened() {
  const box = document.querySelector("[data-case], [data-conversation]");
  if (!box || document.hidden || Number(bell.dataset.n) === 0) return;
  const body = box.dataset.case ? { case_number: box.dataset.case } : { conversation_id: box.dataset.conversation };
  api("POST", "/api/notices/opened", body).then((answer) => setBell(answer.unread)).catch(() => { /* the count is right again with the next refresh */ });
}

function told(notice) {
  setBell(Number(bell.dataset.n) + 1);
  if (document.querySelector("[data-notices]") && !document.hidden) { location.reload(); return; }
  if (notice.href && location.pathname === notice.href) { markOpened(); return; }
  toast(`${notice.label}：${notice.text}`, { label: notice.href ? "打开" : "看通知", run: () => location.assign(notice.href || "/desk/notices"), pressing: notice.pressing });
}
document.addEventListener("visibilitychange", markOpened);

/* ---- list ------------------------------------------------------------ */

const listOf = () => document.getElementById("list-items");
const listPane = document.getElementById("list");

function markCurrent() {
  const path = location.pathname;
  listPane.querySelectorAll("a.item").forEach((link) => {
    if (new URL(link.href).pathname === path) link.setAttribute("aria-current", "true");
    else link.removeAttribute("aria-current");
  });
  const open = path.startsWith("/desk/");
  document.querySelector(".desk").classList.toggle("desk-open", open);
}

let refreshTimer = 0;
function listChanged() {
  clearTimeout(refreshTimer);
  refreshTimer = setTimeout(updateList, 600);
}

async function freshPage() {
  const box = listOf();
  const answer = box && await fetch(box.dataset.src || location.href, { credentials: "same-origin" }).catch(() => null);
  if (!answer || !answer.ok) return null;
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  page.querySelectorAll("[data-count]").forEach((count) => {
    const old = document.querySelector(`[data-count="${count.dataset.count}"]`);
    if (old) old.textContent = count.textContent;
  });
  const count = page.getElementById("bell-count");
  if (count) setBell(Number(count.dataset.n));
  return page.getElementById("list-items");
}

const rows = (box) => [...box.querySelectorAll("a.item")];

/** The list as it is now, in its own order. */
async function refreshList() {
  const fresh = await freshPage();
  const box = listOf();
  if (!fresh || !box) return;
  const top = box.scrollTop;
  box.replaceWith(fresh);
  fresh.scrollTop = top;
  document.getElementById("list-news").hidden = true;
  if (window.htmx) window.htmx.process(fresh);
  markCurrent();
}

/** Rows never move under the hand or the eye: words are renewed in place, what has gone is dimmed, and what is new
 * waits behind a bar until the person wants it. */
async function updateList() {
  const fresh = await freshPage();
  const box = listOf();
  if (!fresh || !box || fresh.dataset.src !== box.dataset.src) return;
  const now = new Map(rows(fresh).map((row) => [row.dataset.key, row]));
  if (rows(box).length === 0) {
    if (now.size) refreshList();
    return;
  }
  const shown = rows(box);
  // A full page: what fell off its end is on the next one.
  const last = fresh.querySelector(".list-more") ? shown.findLastIndex((row) => now.has(row.dataset.key)) : shown.length;
  for (const [n, row] of shown.entries()) {
    const next = now.get(row.dataset.key);
    row.classList.toggle("item-gone", !next && n < last);
    if (next && row.innerHTML !== next.innerHTML) row.replaceChildren(...next.cloneNode(true).childNodes);
    now.delete(row.dataset.key);
  }
  const bar = document.getElementById("list-news");
  const gone = box.querySelectorAll(".item-gone").length;
  bar.textContent = now.size ? `${now.size} 条新到，点这里显示` : gone ? `${gone} 条已不在这里，点这里整理` : "";
  bar.hidden = !bar.textContent;
}
document.getElementById("list-news").addEventListener("click", refreshList);
// Words like “还剩 2 小时” grow old even when nothing happens.
setInterval(() => { if (!document.hidden) updateList(); }, 60000);

/* ---- main pane ------------------------------------------------------- */

let talk = null;
let viewing = null;
let shownMain = null;
function entered() {
  shownMain = document.getElementById("main");
  if (talk) talk.close();
  talk = null;
  const box = document.querySelector("[data-conversation]");
  if (box) talk = openTalk(box, { api, refreshList });
  viewing = document.querySelector("[data-case]");
  markCurrent();
  markOpened();
  begunActs();
}

async function refreshCase() {
  const box = document.querySelector("[data-case]");
  if (!box || document.querySelector("dialog[open]")) return;
  const answer = await fetch(location.href, { credentials: "same-origin" }).catch(() => null);
  if (!answer || !answer.ok) return;
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const fresh = page.getElementById("main");
  const main = document.getElementById("main");
  if (!fresh) return;
  const top = (main.querySelector(".work") || {}).scrollTop || 0;
  main.replaceWith(fresh);
  const work = fresh.querySelector(".work");
  if (work) work.scrollTop = top;
  if (window.htmx) window.htmx.process(fresh);
  entered();
}

document.addEventListener("htmx:afterSettle", () => {
  if (document.getElementById("main") !== shownMain) entered();
  else markCurrent();
});
document.addEventListener("htmx:responseError", (event) => {
  const status = event.detail.xhr.status;
  if (status === 401) location.assign("/login?next=" + encodeURIComponent(location.pathname));
  else toast(status === 403 ? "您没有权限看这一件" : status === 404 ? "没有找到，可能已转给别的单位" : "没有打开，请再试一次");
});
document.addEventListener("htmx:sendError", () => toast("网络不通，没有打开"));

/* ---- actions of a case ------------------------------------------------ */

/** What is written into the dialog of an action stays until it was taken: 72 hours, for this officer in this browser. */
const ACT_HOURS = 72;
const ACTS = `zt.desk.act.${document.body.dataset.officer}.`;
const AGAIN = "zt.desk.again";
const actKey = (form) => ACTS + document.querySelector("[data-case]").dataset.case + "." + form.dataset.action;
const keptForms = new WeakMap();
function keepAct(form) {
  if (!keptForms.has(form)) keptForms.set(form, keepForm(form, actKey(form), ACT_HOURS));
  return keptForms.get(form);
}

/** Buttons tell of what was begun; after a new sign-in the dialog stands open again. */
function begunActs() {
  const box = document.querySelector("[data-case]");
  if (!box) return;
  for (const form of box.querySelectorAll("form[data-action]")) {
    const button = box.querySelector(`[data-act="${CSS.escape(form.dataset.action)}"]:not([data-text])`);
    if (!button || button.querySelector(".begun") || !draft(actKey(form), ACT_HOURS).get()) continue;
    button.append(el("small", { class: "begun" }, "有草稿"));
  }
  const again = store.get(AGAIN);
  if (!again || again.case !== box.dataset.case) return;
  store.del(AGAIN);
  const button = box.querySelector(`[data-act="${CSS.escape(again.action)}"]:not([data-text])`);
  if (!button) return;
  button.click();
  toast("您写的还在，看过再提交");
}
document.addEventListener("submit", (event) => {
  // Whoever leaves a shared computer leaves no drafts behind.
  if (event.target.getAttribute("action") === "/logout") dropDrafts("zt.desk.act.");
});

document.addEventListener("click", (event) => {
  const opener = event.target.closest("[data-act]");
  if (opener) {
    const dialog = document.getElementById("act-" + opener.dataset.act);
    const menu = opener.closest("details.menu");
    if (menu) menu.open = false;
    if (dialog) {
      dialog.dataset.key = newId();
      keepAct(dialog.querySelector("form"));
      leadIsNoAssist(dialog);
      conditions(dialog);
      const text = opener.dataset.text;
      const area = text && dialog.querySelector("textarea");
      if (area) area.value = area.value.trim() ? area.value + "\n" + text : text;
      dialog.showModal();
      const first = dialog.querySelector("textarea, select, input:not([type=hidden]):not([type=checkbox])");
      if (first) first.focus();
    }
    return;
  }
  const closer = event.target.closest("[data-close]");
  if (closer) closer.closest("dialog").close();
});

/** A picture is looked at here; with a key held, or without script, it is downloaded. */
document.addEventListener("click", (event) => {
  const link = event.target.closest("a[data-picture]");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  const viewer = document.getElementById("viewer");
  viewer.querySelector("h2").textContent = link.dataset.picture;
  viewer.querySelector("img").src = link.href;
  viewer.querySelector("img").alt = link.dataset.picture;
  const save = viewer.querySelector("a");
  save.href = link.href;
  save.download = link.dataset.picture;
  viewer.showModal();
});

/** The lead unit cannot assist itself. */
function leadIsNoAssist(form) {
  const lead = form.querySelector('select[name="lead"]');
  const assists = form.querySelector('fieldset[name="assists"]');
  if (!lead || !assists) return;
  for (const box of assists.querySelectorAll("input")) {
    const same = box.value === lead.value;
    box.disabled = same;
    if (same) box.checked = false;
  }
}
document.addEventListener("change", (event) => {
  if (event.target.name === "lead") leadIsNoAssist(event.target.form);
  if (event.target.form && event.target.form.dataset.action) conditions(event.target.form);
});

/** Some choices ask for more: those fields become required, and say so. */
function conditions(form) {
  for (const node of form.querySelectorAll("[data-needed-by]")) {
    const by = form.querySelector(`[name="${CSS.escape(node.dataset.neededBy)}"]`);
    node.required = Boolean(by) && node.dataset.neededFor.split(" ").includes(by.value);
    node.closest(".field").querySelector(".req").hidden = !node.required;
    if (!node.required) showError(node, "");
  }
}

/** A list of things of one shape: rows can be added, an empty row is not sent. */
document.addEventListener("click", (event) => {
  const add = event.target.closest("[data-row-add]");
  if (!add) return;
  const rows = add.parentNode.querySelectorAll(".rows-item");
  const row = rows[0].cloneNode(true);
  row.querySelector(".rows-n").textContent = String(rows.length + 1);
  row.querySelectorAll("input, textarea").forEach((node) => { node.value = ""; });
  add.before(row);
  row.querySelector("input, textarea").focus();
});

const typed = (row) => [...row.querySelectorAll("input, textarea")];
function rowsOf(field) {
  return [...field.querySelectorAll(".rows-item")].filter((row) => typed(row).some((node) => node.value.trim()))
    .map((row) => Object.fromEntries([...row.querySelectorAll("[data-col]")].map((node) => [node.dataset.col, node.value.trim()])));
}

/** What is wrong with the rows, in words; empty if nothing. */
function rowsProblem(field) {
  const rows = [...field.querySelectorAll(".rows-item")].filter((row) => typed(row).some((node) => node.value.trim()));
  if (rows.length < Number(field.dataset.least)) return `至少填 ${field.dataset.least} 项`;
  return rows.some((row) => typed(row).some((node) => !node.value.trim())) ? "有一项没有填全" : "";
}

function bodyOf(form) {
  const body = {};
  for (const node of form.querySelectorAll("[data-json]")) {
    const name = node.name || node.getAttribute("name");
    const kind = node.dataset.json;
    if (kind === "rows") body[name] = rowsOf(node);
    else if (node.tagName === "FIELDSET") body[name] = [...node.querySelectorAll("input:checked")].map((box) => box.value);
    else if (kind === "bool") body[name] = node.type === "checkbox" ? node.checked : node.value === "true";
    else if (kind === "int") { if (node.value !== "") body[name] = Number(node.value); }
    else if (kind === "lines") body[name] = node.value.split("\n").map((line) => line.trim()).filter(Boolean);
    else if (kind === "option") { if (node.value.trim() !== "") body[name] = node.value.trim(); }
    else body[name] = node.value.trim();
    if (node.dataset.nameAs) body[node.dataset.nameAs] = node.selectedOptions[0] ? node.selectedOptions[0].textContent.trim() : "";
  }
  return body;
}

function showError(node, text) {
  const line = node.closest(".field").querySelector(".error");
  line.textContent = text;
  line.hidden = !text;
  if (text) node.setAttribute("aria-invalid", "true");
  else node.removeAttribute("aria-invalid");
}

document.addEventListener("submit", async (event) => {
  const form = event.target.closest("form[data-action]");
  if (!form) return;
  event.preventDefault();
  const dialog = form.closest("dialog");
  const box = document.querySelector("[data-case]");
  const button = form.querySelector(".dialog-foot .btn:last-child");
  const problem = form.querySelector(".act-problem");
  if (button.disabled || !box) return;
  let first = null;
  for (const node of form.querySelectorAll("[required]")) {
    const empty = !String(node.value || "").trim();
    showError(node, empty ? "请填写" : "");
    if (empty && !first) first = node;
  }
  for (const node of form.querySelectorAll("fieldset.rows")) {
    const words = rowsProblem(node);
    showError(node, words);
    if (words && !first) first = node.querySelector("input, textarea");
  }
  if (first) {
    first.focus();
    return;
  }
  button.disabled = true;
  if (!(await reviewed(form))) { button.disabled = false; return; }
  button.setAttribute("aria-busy", "true");
  problem.hidden = true;
  const body = bodyOf(form);
  if (suggestionOf(form)) body.suggestion = suggestionOf(form);
  try {
    await api("POST", `/api/cases/${encodeURIComponent(box.dataset.case)}/actions/${form.dataset.action}`, body, { "Idempotency-Key": dialog.dataset.key || newId() });
    dialog.close();
    keepAct(form).drop();
    toast("已办理：" + form.querySelector("h2").textContent);
    await refreshCase();
    refreshList();
  } catch (error) {
    if (error.status === 401) store.set(AGAIN, { case: box.dataset.case, action: form.dataset.action });
    let text = error.message;
    for (const item of error.problem.errors || []) {
      const name = String(item.pointer || "").split("/").filter(Boolean)[0];
      const node = form.querySelector(`[name="${CSS.escape(name || "")}"]`);
      if (node) showError(node, item.message);
      else text += "。" + item.message;
    }
    problem.textContent = text;
    problem.hidden = false;
    // The answer is known, so a corrected form is a new attempt; a lost answer keeps its key.
    if (error.status >= 400 && error.status < 500) dialog.dataset.key = newId();
    if (error.status === 409) problem.append(" ", el("button", { type: "button", class: "link", onclick: () => { dialog.close(); refreshCase(); } }, "看最新情况"));
  }
  button.disabled = false;
  button.removeAttribute("aria-busy");
});

/* ---- live ------------------------------------------------------------- */

const live = document.getElementById("live");
let lostTimer = 0;
let lastEvent = null;
openStream({
  url: "/api/events/stream",
  headers: () => ({}),
  lastId: () => lastEvent,
  onEvent(name, data, id) {
    if (id) lastEvent = id;
    if (talk) talk.onEvent(name, data);
    if (name === "case") {
      if (viewing && (data.number === viewing.dataset.case || !data.number)) refreshCase();
      listChanged();
    } else if (["conversation", "task", "message", "reload"].includes(name)) listChanged();
    else if (name === "notice") told(data);
    else if (name === "alert") toast(data.text || "有紧急情况，请看待接入会话");
  },
  onState(state, status) {
    clearTimeout(lostTimer);
    if (state === "open") {
      if (!live.hidden) { refreshList(); refreshCase(); if (talk) talk.catchUp(); }
      live.hidden = true;
    } else if (state === "denied" && status === 403) live.hidden = true; // this role gets no live events; the list still refreshes by the minute
    else if (state === "denied") location.assign("/login?next=" + encodeURIComponent(location.pathname + location.search));
    else lostTimer = setTimeout(() => { live.textContent = navigator.onLine === false ? "网络断开，内容可能不是最新" : "正在重新连接…"; live.hidden = false; }, 1500);
  },
});
openKeys({ api });
watchCase(api);
window.addEventListener("pagehide", () => { if (talk) talk.close(); });
entered();
