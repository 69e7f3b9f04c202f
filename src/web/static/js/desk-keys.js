// Keys and the command bar of the desk: find a case, go somewhere, do what may be done. Nothing happens while an input
// method is composing, and no single key acts while somebody types.
import { el, icon } from "./dom.js";

const typing = (node) => node && (node.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(node.tagName));
const composing = (event) => event.isComposing || event.keyCode === 229;

/** Places to go; `keys` are the initials of the words, as people type them without switching the input method. */
function places() {
  const tabs = [...document.querySelectorAll(".desk-tabs a")].map((tab) => ({
    label: tab.querySelector("span").textContent, note: tab.querySelector("b").textContent + " 件", keys: { waiting: "djrhh", mine: "wdhh", todo: "dbgd", all: "qbgd" }[tab.dataset.tab] || "", icon: "list", href: tab.href,
  }));
  const menu = [...document.querySelectorAll(".desk-top .menu a")].map((link) => ({ label: link.textContent.trim(), note: "打开", keys: link.getAttribute("href") === "/admin" ? "xtgl" : "dl", icon: "next", href: link.href }));
  return [...tabs, { label: "通知", note: "看分派、审签、临期和督办", keys: "tz", icon: "bell", href: "/desk/notices" }, ...menu];
}

/** What may be done with the open case, with what it will do. */
function acts() {
  return [...document.querySelectorAll("[data-case] [data-act]:not([data-text])")].map((button) => {
    const effect = document.querySelector(`#act-${button.dataset.act} .act-effect span`);
    return { label: button.textContent.trim(), note: effect ? effect.textContent : "", keys: "", icon: "check", run: () => button.click() };
  });
}

/** Wires the keys; `api` is the desk's way to the server. */
export function openKeys({ api }) {
  const palette = document.getElementById("palette");
  const input = document.getElementById("palette-q");
  const list = document.getElementById("palette-list");
  let items = [];
  let at = 0;
  let asked = 0;

  function draw() {
    at = Math.max(0, Math.min(at, items.length - 1));
    list.replaceChildren(...items.map((item, n) => el("li", { id: "palette-" + n, role: "option", "aria-selected": String(n === at), onclick: () => run(n), onmousemove: () => { if (at !== n) { at = n; mark(); } } },
      icon(item.icon), el("span", {}, el("strong", {}, item.label), item.note ? el("small", {}, item.note) : ""), item.side ? el("em", {}, item.side) : "")));
    if (items.length === 0) list.replaceChildren(el("li", { class: "empty" }, el("strong", {}, "没有找到"), "换个词，或输入完整编号"));
    mark();
  }
  function mark() {
    [...list.children].forEach((node, n) => node.setAttribute("aria-selected", String(n === at)));
    const node = list.children[at];
    if (node && node.scrollIntoView) node.scrollIntoView({ block: "nearest" });
    input.setAttribute("aria-activedescendant", items.length ? "palette-" + at : "");
  }
  function run(n) {
    const item = items[n];
    if (!item) return;
    palette.close();
    if (item.run) item.run();
    else location.assign(item.href);
  }

  async function search() {
    const words = input.value.trim();
    const turn = ++asked;
    const fits = (item) => !words || item.label.includes(words) || (item.keys && item.keys.startsWith(words.toLowerCase()));
    const local = [...acts(), ...places()].filter(fits);
    items = local;
    at = 0;
    draw();
    if ([...words].length < 2) return;
    let found = [];
    try {
      found = (await api("GET", "/api/cases?limit=8&q=" + encodeURIComponent(words))).items || [];
    } catch { /* not everybody sees cases; the rest of the list stays */ }
    if (turn !== asked) return;
    const cases = found.map((one) => ({ label: one.title, note: `${one.number} · ${one.enterprise || "匿名"}`, side: [one.status_label, one.due_text].filter(Boolean).join(" · "), icon: "file", href: "/desk/cases/" + encodeURIComponent(one.number) }));
    items = [...cases, ...local];
    draw();
  }

  let timer = 0;
  function soon() {
    clearTimeout(timer);
    timer = setTimeout(search, 180);
  }
  input.addEventListener("input", (event) => { if (!composing(event)) soon(); });
  input.addEventListener("compositionend", soon);
  input.addEventListener("keydown", (event) => {
    if (composing(event)) return;
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      at = (at + (event.key === "ArrowDown" ? 1 : items.length - 1)) % Math.max(1, items.length);
      mark();
    } else if (event.key === "Enter") {
      event.preventDefault();
      run(at);
    }
  });

  function openPalette() {
    if (document.querySelector("dialog[open]")) return;
    input.value = "";
    palette.showModal();
    search();
    input.focus();
  }
  document.querySelectorAll("[data-palette]").forEach((button) => button.addEventListener("click", openPalette));

  function step(by) {
    const rows = [...document.querySelectorAll("#list-items a.item")];
    if (rows.length === 0) return;
    const now = rows.indexOf(document.activeElement) >= 0 ? rows.indexOf(document.activeElement) : rows.findIndex((row) => row.getAttribute("aria-current") === "true");
    const next = rows[Math.max(0, Math.min(rows.length - 1, now < 0 ? 0 : now + by))];
    next.focus();
    next.scrollIntoView({ block: "nearest" });
  }

  const single = {
    "?": () => document.getElementById("keys").showModal(),
    "/": () => document.getElementById("desk-q").focus(),
    j: () => step(1),
    k: () => step(-1),
    r: () => { const tab = document.getElementById("mode-out"); if (tab && !tab.disabled) tab.click(); },
    b: () => { const tab = document.getElementById("mode-note"); if (tab) tab.click(); },
    n: () => location.assign("/desk/notices"),
  };
  document.addEventListener("keydown", (event) => {
    if (composing(event)) return;
    if ((event.ctrlKey || event.metaKey) && !event.altKey && event.key.toLowerCase() === "k") {
      event.preventDefault();
      openPalette();
      return;
    }
    if ((event.ctrlKey || event.metaKey) && event.key === "Enter") {
      const form = event.target.closest && event.target.closest("dialog form");
      if (form) { event.preventDefault(); form.requestSubmit(); }
      return;
    }
    if (event.ctrlKey || event.metaKey || event.altKey || typing(event.target) || document.querySelector("dialog[open]")) return;
    const act = single[event.key];
    if (!act) return;
    event.preventDefault();
    act();
  });
}
