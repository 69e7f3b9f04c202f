// Small helpers shared by the pages. Text only ever enters the document through textContent.

const ICONS = new URL("../icons.svg", import.meta.url).href;
const SVG = "http://www.w3.org/2000/svg";

/** Creates an element: el("p", { class: "x", onclick: f }, "text", child). */
export function el(tag, props, ...children) {
  const node = document.createElement(tag);
  for (const [key, value] of Object.entries(props || {})) {
    if (value === null || value === undefined || value === false) continue;
    if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
    else if (key === "class") node.className = value;
    else if (key === "dataset") Object.assign(node.dataset, value);
    else if (key in node && typeof value !== "string") node[key] = value;
    else node.setAttribute(key, value === true ? "" : value);
  }
  for (const child of children.flat()) {
    if (child === null || child === undefined || child === false) continue;
    node.append(child);
  }
  return node;
}

/** An icon of our own sprite, hidden from screen readers. */
export function icon(name, extra) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("class", extra ? "icon " + extra : "icon");
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS(SVG, "use");
  use.setAttribute("href", ICONS + "#" + name);
  svg.append(use);
  return svg;
}

const ZONE = "Asia/Shanghai";
const parts = (date) => Object.fromEntries(
  new Intl.DateTimeFormat("zh-CN", {
    timeZone: ZONE, year: "numeric", month: "numeric", day: "numeric", hour: "2-digit", minute: "2-digit", weekday: "short", hourCycle: "h23",
  }).formatToParts(date).map((part) => [part.type, part.value]));

/** “15:30” today, “11月22日 15:30” otherwise, in the county's zone. */
export function clockTime(value, now = new Date()) {
  const date = new Date(value);
  if (Number.isNaN(date.getTime())) return "";
  const a = parts(date);
  const b = parts(now);
  const time = `${a.hour}:${a.minute}`;
  if (a.year === b.year && a.month === b.month && a.day === b.day) return time;
  return a.year === b.year ? `${a.month}月${a.day}日 ${time}` : `${a.year}年${a.month}月${a.day}日 ${time}`;
}

/** “2026年11月22日 15:30”. */
export function fullTime(value) {
  const date = new Date(value);
  if (Number.isNaN(date.getTime())) return "";
  const a = parts(date);
  return `${a.year}年${a.month}月${a.day}日 ${a.hour}:${a.minute}`;
}

/** “10月20日 周二 17:30”. */
export function dueTime(value) {
  const date = new Date(value);
  if (Number.isNaN(date.getTime())) return "";
  const a = parts(date);
  return `${a.month}月${a.day}日 ${a.weekday} ${a.hour}:${a.minute}`;
}

/** Appends text, turning plain web addresses into links; nothing else is interpreted. */
export function linked(node, text) {
  const pattern = /https?:\/\/[^\s<>"'，。；、）)】」]+/g;
  let from = 0;
  for (const hit of text.matchAll(pattern)) {
    node.append(text.slice(from, hit.index));
    node.append(el("a", { href: hit[0], target: "_blank", rel: "noopener noreferrer nofollow" }, hit[0]));
    from = hit.index + hit[0].length;
  }
  node.append(text.slice(from));
  return node;
}

/** Random id for idempotent requests. */
export function newId() {
  if (crypto.randomUUID) return crypto.randomUUID();
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

export const store = {
  get(key) { try { return JSON.parse(localStorage.getItem(key)); } catch { return null; } },
  set(key, value) { try { localStorage.setItem(key, JSON.stringify(value)); } catch { /* full or private: the page still works */ } },
  del(key) { try { localStorage.removeItem(key); } catch { /* as above */ } },
};

/** A short message at the bottom, optionally with one action; a pressing one stays until it is answered. */
export function toast(text, action) {
  let box = document.querySelector(".toasts");
  if (!box) {
    box = el("div", { class: "toasts", role: "status", "aria-live": "polite" });
    document.body.append(box);
  }
  const pressing = action && action.pressing;
  const line = el("div", { class: pressing ? "toast toast-pressing" : "toast", role: pressing ? "alert" : null }, el("span", {}, text));
  const close = () => line.remove();
  const timer = pressing ? 0 : setTimeout(close, action ? 15000 : 5000);
  if (action) line.append(el("button", { type: "button", onclick: () => { clearTimeout(timer); close(); action.run(); } }, action.label));
  box.append(line);
  while (box.children.length > 3) box.firstChild.remove();
  return close;
}

/** Enter sends, Shift+Enter breaks the line, and an Enter that belongs to an input method does neither. */
export function enterSends(input, send) {
  let composedAt = -Infinity;
  let composing = false;
  input.addEventListener("compositionstart", () => { composing = true; });
  input.addEventListener("compositionend", (event) => { composing = false; composedAt = event.timeStamp; });
  input.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.shiftKey || event.altKey) return;
    // Some input methods fire the confirming Enter in the tick after compositionend, with isComposing already false.
    if (event.isComposing || composing || event.keyCode === 229 || event.timeStamp - composedAt < 30) return;
    event.preventDefault();
    send();
  });
}

/** Copies text; falls back to a selection where the clipboard API is refused. */
export async function copyText(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const area = el("textarea", { class: "vh", readonly: true });
    area.value = text;
    document.body.append(area);
    area.select();
    let done = false;
    try { done = document.execCommand("copy"); } catch { /* reported by the caller */ }
    area.remove();
    return done;
  }
}

/** Grows a textarea with its content, up to the height its style allows. */
export function autoGrow(area) {
  const fit = () => {
    area.style.height = "";
    // A long placeholder must not make an empty box grow.
    if (area.value) area.style.height = area.scrollHeight + 2 + "px";
  };
  area.addEventListener("input", fit);
  requestAnimationFrame(fit);
  return fit;
}
