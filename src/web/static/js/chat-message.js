// How one message looks: who speaks, what it rests on, files, receipts. No markup in texts is ever interpreted.
import { clockTime, dueTime, el, icon, linked } from "./dom.js";

export const STAGES = ["提出", "受理", "分派", "处理", "跟踪", "反馈", "评价", "考核"];

/** The eight-stage bar; `stage` counts from 1, 0 means that the way has ended elsewhere. */
export function stageBar(stage) {
  const list = el("ol", { class: "stages", "aria-label": "办理阶段" });
  STAGES.forEach((name, index) => {
    const n = index + 1;
    const state = n < stage ? "done" : n === stage ? "now" : "";
    const item = el("li", { class: state }, el("b", { "aria-hidden": "true" }, n < stage ? "✓" : String(n)), el("span", {}, name));
    if (n === stage) item.setAttribute("aria-current", "step");
    list.append(item);
  });
  return list;
}

/** What stands at the end of every generated text; shown as a line of its own. */
export const AI_LABEL = "AI 生成，仅供参考，以政策原文为准";

/** The bubble of generated text, whole or still being written: never mistaken for the answer of a rule. */
export function generatedBubble(words) {
  const text = words.endsWith(AI_LABEL) ? words.slice(0, -AI_LABEL.length).trimEnd() : words;
  return el("div", { class: "bubble bubble-ai" }, linked(el("div", { class: "prewrap ai-text" }), text), el("p", { class: "ai-label" }, icon("warn"), AI_LABEL));
}

/** The line above a bubble: 规则答复, 工作人员 with name and unit, or AI 生成. */
export function renderMeta(message) {
  const line = el("p", { class: "msg-meta" });
  if (message.from === "officer") {
    const author = message.author || {};
    line.append(icon("person"), el("strong", {}, author.name || "工作人员"), author.unit ? el("span", {}, author.unit) : "", el("span", { class: "tag tag-accent" }, "工作人员"));
  } else if (message.generated) {
    line.append(el("strong", {}, "智能助手"), el("span", { class: "tag tag-warn" }, "AI 生成"));
  } else {
    line.append(el("strong", {}, "直通小助手"), el("span", { class: "tag" }, message.rule_id || (message.citations || []).length ? "规则答复" : "自动回复"));
    if (message.awaiting_recheck) line.append(el("span", { class: "tag tag-warn", title: "依据已核对到条文出处，仍待工作人员复核" }, "待人工复核"));
  }
  if (message.at) line.append(el("time", { datetime: message.at }, clockTime(message.at)));
  return line;
}

/** The body of any message but a form. */
export function renderBody(message, ctx) {
  const note = caseNote(message);
  if (note) return note;
  if (message.kind === "event") return el("p", { class: "event" }, message.text || "");
  if (message.card && message.card.cases) return renderReceipt(message, ctx);
  if (message.attachment || message.kind === "image" || message.kind === "file") return renderFile(message, ctx);
  if (message.from === "system") return el("p", { class: "event prewrap" }, message.text || "");
  if (message.generated) {
    const bubble = generatedBubble(message.text || "");
    const basis = renderBasis(message);
    if (basis) bubble.append(basis);
    return bubble;
  }
  const bubble = el("div", { class: "bubble" });
  const text = el("div", { class: "prewrap" });
  if (message.from === "visitor") text.append(message.text || "");
  else linked(text, message.text || "");
  bubble.append(text);
  const basis = renderBasis(message);
  if (basis) bubble.append(basis);
  if (message.from === "bot" && message.rule_id && ctx.call) bubble.append(feedback(message, ctx));
  return bubble;
}

/** What became of a case is told in full width, with the way to it; its answer is what the enterprise waited for. */
function caseNote(message) {
  const found = message.from === "system" && !message.card && /^【(ZT[0-9A-Z-]+)】\s*([^]*)$/.exec(message.text || "");
  if (!found) return null;
  const [, number, words] = found;
  return el("section", { class: "case-note" + (words.startsWith("答复已送达") ? " case-answer" : "") },
    el("p", { class: "case-head" }, el("a", { href: "/track/" + encodeURIComponent(number), target: "_blank", rel: "noopener" }, "办理进展 ", el("span", { class: "mono num" }, number)), el("time", { datetime: message.at }, clockTime(message.at))),
    linked(el("div", { class: "prewrap" }), words));
}

function renderBasis(message) {
  const citations = message.citations || [];
  if (citations.length === 0) return null;
  const box = el("details", { class: "basis" }, el("summary", {}, citations.length > 1 ? `依据（${citations.length} 条）` : "依据"));
  const list = el("ol", {});
  for (const cite of citations) {
    const item = el("li", {}, el("strong", {}, cite.title || ""));
    if (cite.ref) item.append(el("span", {}, cite.ref));
    if (/^https?:\/\//.test(cite.url || "")) item.append(el("a", { href: cite.url, target: "_blank", rel: "noopener noreferrer" }, "查看原文"));
    list.append(item);
  }
  box.append(list);
  if (message.rule_version) box.append(el("p", { class: "muted small" }, "规则版本 " + message.rule_version));
  return box;
}

function feedback(message, ctx) {
  const row = el("p", { class: "rate" });
  const answer = async (helpful) => {
    row.replaceChildren(el("span", { class: "muted" }, helpful ? "谢谢，您的评价已记下" : "已记下，可以换个说法再问，或点“转人工”"));
    try { await ctx.call("POST", "/feedback", { message_id: message.id, helpful }); } catch { /* an opinion lost is no reason to disturb */ }
  };
  row.append(
    el("button", { type: "button", class: "link", onclick: () => answer(true) }, "有帮助"),
    el("button", { type: "button", class: "link", onclick: () => answer(false) }, "没帮助"),
  );
  return row;
}

function size(bytes) {
  if (!bytes) return "";
  return bytes < 1024 * 1024 ? Math.max(1, Math.round(bytes / 1024)) + " KB" : (bytes / 1048576).toFixed(1) + " MB";
}

function renderFile(message, ctx) {
  const file = message.attachment || {};
  const name = file.name || message.text || "附件";
  const href = file.url || "/api/chat/attachments/" + encodeURIComponent(file.id || "");
  const open = async (event) => {
    event.preventDefault();
    const answer = await fetch(href, { headers: ctx.headers ? ctx.headers() : {}, credentials: "same-origin" }).catch(() => null);
    if (!answer || !answer.ok) return;
    const link = el("a", { href: URL.createObjectURL(await answer.blob()), download: name });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  };
  const image = (file.mime || "").startsWith("image/") || message.kind === "image";
  const link = el("a", { class: "bubble file", href, download: name, onclick: open },
    icon(image ? "image" : "file"), el("span", {}, el("strong", {}, name), el("small", { class: "muted" }, size(file.size) || "点击下载")));
  // A picture comes with the same proof of identity as everything else, so it is fetched and shown as a blob.
  if (image && file.id) {
    fetch(href, { headers: ctx.headers ? ctx.headers() : {}, credentials: "same-origin" })
      .then((answer) => (answer.ok ? answer.blob() : null))
      .then((blob) => {
        if (!blob) return;
        const picture = el("img", { class: "picture", alt: name, src: URL.createObjectURL(blob), loading: "lazy" });
        picture.addEventListener("error", () => picture.remove());
        link.prepend(picture);
        const glyph = link.querySelector("svg");
        if (glyph) glyph.remove();
      })
      .catch(() => {});
  }
  return link;
}

/** The receipt: number, code, stage, due date. Also used for the answer to 查进度. */
function renderReceipt(message, ctx) {
  const card = message.card;
  const cases = card.cases || [];
  const receipt = card.kind === "receipt";
  const box = el("section", { class: "receipt", "aria-label": receipt ? "登记回执" : "办理进度" });
  const heading = receipt ? (cases.length > 1 ? `已登记 ${cases.length} 件` : "已登记") : card.kind === "duplicate" ? "有一件相似的正在办" : "办理进度";
  box.append(el("h3", {}, heading));
  // Channels without cards read numbers, codes and dates as text; here the card shows them.
  const shown = (line) => /^查询码/.test(line) || cases.some((item) => line.includes(item.number));
  const words = (message.text || "").split("\n").filter((line) => !shown(line)).join("\n").trim();
  if (words) box.append(linked(el("p", { class: "prewrap" }), words));
  const code = (cases.find((item) => item.code) || {}).code;
  for (const item of cases) {
    const part = el("div", { class: "receipt-case" });
    part.append(el("p", { class: "receipt-title" }, item.title || ""));
    part.append(el("p", { class: "receipt-no" }, el("span", { class: "muted" }, "编号"), el("strong", { class: "mono num" }, item.number), copyButton("复制编号", item.number, ctx)));
    if (item.status_label) part.append(el("p", { class: "small" }, item.status_label));
    if (item.stage) part.append(stageBar(item.stage));
    if (item.holder) part.append(el("p", { class: "small" }, el("span", { class: "muted" }, "现在由 "), item.holder, el("span", { class: "muted" }, " 办理")));
    if (item.due_text || item.due_at) part.append(el("p", { class: "receipt-due" }, icon("clock"), el("span", {}, item.due_text || dueTime(item.due_at) + " 前")));
    if ((item.latest || []).length) part.append(el("ul", { class: "small muted" }, ...item.latest.map((line) => el("li", {}, line))));
    box.append(part);
  }
  if (code) {
    box.append(el("p", { class: "receipt-code" }, el("span", { class: "muted" }, "查询码"), el("strong", { class: "mono", dataset: { code } }, code), copyButton("复制查询码", code, ctx)));
    box.append(el("p", { class: "muted small" }, "请记下编号和查询码，凭它们随时查进度、补材料、评价。"));
    // The code travels in the body of a POST so that it does not stand in histories and logs.
    box.append(el("form", { method: "post", action: "/track", target: "_blank", class: "receipt-go" },
      el("input", { type: "hidden", name: "number", value: cases[0].number }), el("input", { type: "hidden", name: "code", value: code }),
      el("button", { class: "btn btn-primary" }, icon("route"), "查看办理进度")));
  }
  return box;
}

function copyButton(label, text, ctx) {
  return el("button", { type: "button", class: "btn btn-quiet btn-s btn-icon", "aria-label": label, title: label, onclick: () => ctx.copy(text) }, icon("copy"));
}
