// What a model suggests at the desk: drafts, summaries, plainer words, types. Everything stays in the officer's hands:
// a suggestion fills a box and goes nowhere by itself, and what the officer changed of it is shown before it goes out.
import { el, icon, toast } from "./dom.js";

/** A text with what was taken out and put in. */
export function drawChanges(changes) {
  return el("p", { class: "prewrap diff" }, ...changes.map((piece) =>
    (piece.kind === "gone" ? el("del", {}, piece.text) : piece.kind === "added" ? el("ins", {}, piece.text) : piece.text)));
}

/** The suggestion as a card: the mark, the words, the sources, what can be done with it. */
function card(made, acts) {
  const sources = made.sources || [];
  return el("article", { class: "ai-card", "data-suggestion": made.id },
    el("p", { class: "ai-mark" }, icon("info"), el("span", {}, made.label)),
    el("p", { class: "prewrap" }, made.kind === "title" ? `${made.text}\n${made.demand || ""}` : made.text),
    sources.length ? el("details", { class: "basis" }, el("summary", {}, `依据 ${sources.length} 条`),
      el("ol", {}, ...sources.map((source) => el("li", {}, el("strong", {}, source.title), source.awaiting_recheck ? el("span", { class: "tag tag-warn" }, "待人工复核") : "", ...(source.references || []).map((line) => el("span", {}, line)))))) : "",
    el("p", { class: "ai-acts" }, ...acts));
}

const button = (label, run, kind) => el("button", { type: "button", class: "btn btn-s " + (kind || ""), onclick: run }, label);

/** Asks, with words while it lasts; the answer or null. */
async function ask(api, path, body, out, buttons) {
  for (const one of buttons) one.disabled = true;
  out.hidden = false;
  out.replaceChildren(el("p", { class: "muted small", role: "status" }, "正在写，一般要几秒。您可以先做别的。"));
  try {
    return await api("POST", path, body);
  } catch (error) {
    out.replaceChildren(el("p", { class: "muted small", role: "status" }, error.message));
    return null;
  } finally {
    for (const one of buttons) one.disabled = false;
  }
}

/** Says what became of a suggestion; what cannot be said now stays open, which the console counts as not decided. */
function end(api, id, text) {
  return api("POST", `/api/suggestions/${encodeURIComponent(id)}/end`, text === null ? {} : { text }).catch(() => null);
}

/** Follows one box: which suggestion its words began with, and what was changed of it since. */
export function followBox({ api, area, out }) {
  let id = "";
  let shown = null; // the words whose changes were last on the screen
  let timer = 0;

  function clear() {
    id = "";
    shown = null;
    clearTimeout(timer);
    out.hidden = true;
    out.replaceChildren();
  }
  async function look() {
    const text = area.value;
    if (!id || shown === text) return true;
    let answer;
    try {
      answer = await api("POST", `/api/suggestions/${encodeURIComponent(id)}/difference`, { text });
    } catch (error) {
      // Decided elsewhere, or no network: it must not keep the officer's words back.
      if (error.status === 404 || error.status === 409) clear();
      return true;
    }
    shown = text;
    const changed = answer.share > 0;
    out.hidden = false;
    out.replaceChildren(el("p", { class: "muted small" }, changed ? `您改了 AI 草稿的 ${answer.share}%：` : "与 AI 草稿一字不差，发出前请逐句核对。"), ...(changed ? [drawChanges(answer.changes)] : []));
    return !changed;
  }
  area.addEventListener("input", () => {
    if (!id) return;
    if (!area.value.trim()) { end(api, id, null); clear(); return; }
    clearTimeout(timer);
    timer = setTimeout(look, 500);
  });
  return {
    /** The suggestion that the words began with; empty if none. */
    id: () => id,
    async begin(made, text) {
      id = made.id;
      shown = null;
      area.value = text;
      area.dispatchEvent(new Event("input", { bubbles: true }));
      clearTimeout(timer);
      await look();
    },
    /** The words came back: they began with this suggestion. */
    again(suggestion) {
      id = suggestion;
      shown = null;
    },
    /** Whether the changes are on the screen; if not they are now, and the officer presses again. */
    seen: look,
    clear,
  };
}

/* ---- a case ---------------------------------------------------------- */

const boxes = new WeakMap();
function boxOf(api, form) {
  if (!boxes.has(form)) {
    const area = form.querySelector("textarea[name=text]");
    const out = form.querySelector(".ai-diff");
    boxes.set(form, area && out ? followBox({ api, area, out }) : null);
  }
  return boxes.get(form);
}

/** The suggestion that the words of a form began with. */
export const suggestionOf = (form) => (boxes.get(form) ? boxes.get(form).id() : "");

/** Whether the officer has seen what was changed; said in the form if not. */
export async function reviewed(form) {
  const box = boxes.get(form);
  if (!box || !box.id()) return true;
  if (await box.seen()) return true;
  const problem = form.querySelector(".act-problem");
  problem.textContent = "下面标出了您改动的地方，看过后再按一次。";
  problem.hidden = false;
  return false;
}

const replyForm = () => document.querySelector("form[data-action=draft_reply]") || document.querySelector("form[data-action=answer_on_spot]");

/** The buttons of the case page. */
export function watchCase(api) {
  document.addEventListener("click", async (event) => {
    const opener = event.target.closest("[data-suggest]");
    if (opener) {
      const panel = opener.closest("[data-suggest-base]");
      const out = panel.querySelector(".ai-out");
      const kind = opener.dataset.suggest;
      const made = await ask(api, panel.dataset.suggestBase, { kind }, out, panel.querySelectorAll("[data-suggest]"));
      if (made) out.replaceChildren(card(made, actsOfCase(api, made, out)));
      return;
    }
    const rewriter = event.target.closest("[data-rewrite]");
    if (rewriter) rewrite(api, rewriter);
  });
}

function actsOfCase(api, made, out) {
  const done = () => { out.replaceChildren(); out.hidden = true; };
  const drop = button("不用", () => { end(api, made.id, null); done(); }, "btn-quiet");
  const form = replyForm();
  if (made.kind === "reply") {
    if (!form) return [drop];
    return [button("放进答复正文", () => {
      const dialog = form.closest("dialog");
      document.querySelector(`[data-act="${form.dataset.action}"]`).click();
      boxOf(api, form).begin(made, made.text);
      done();
      if (!dialog.open) dialog.showModal();
    }, "btn-primary"), drop];
  }
  if (made.kind === "classify") {
    const accept = document.querySelector("form[data-action=accept]") || document.querySelector("form[data-action=regrade]");
    const proposal = made.proposal || {};
    const any = proposal.type || proposal.topic || proposal.urgency;
    if (!accept || !any) return [button("知道了", () => { end(api, made.id, null); done(); })];
    return [button(`填进“${accept.querySelector("h2").textContent}”`, () => {
      document.querySelector(`[data-act="${accept.dataset.action}"]`).click();
      for (const [name, value] of [["type", proposal.type], ["topic", proposal.topic], ["urgency", proposal.urgency]]) {
        const field = value && accept.querySelector(`[name="${name}"]`);
        if (field) { field.value = value; field.dispatchEvent(new Event("change", { bubbles: true })); }
      }
      end(api, made.id, made.text);
      done();
    }, "btn-primary"), drop];
  }
  return [button("有用", () => { end(api, made.id, made.text); toast("已记下"); done(); }), drop];
}

async function rewrite(api, rewriter) {
  const form = rewriter.closest("form");
  const area = form.querySelector("textarea[name=text]");
  const out = form.querySelector(".ai-diff");
  const panel = document.querySelector("[data-suggest-base]");
  const original = area.value.trim();
  if (!original) { out.hidden = false; out.textContent = "先写好要改的答复。"; return; }
  const box = boxOf(api, form);
  const before = box.id();
  const made = await ask(api, panel.dataset.suggestBase, { kind: "rewrite", text: original }, out, [rewriter]);
  if (!made) return;
  if (before) end(api, before, original);
  await box.begin(made, made.text);
  out.replaceChildren(el("p", { class: "muted small" }, made.label + "。改动如下："), drawChanges(made.changes || []),
    el("p", { class: "ai-acts" }, button("换回原文", () => { end(api, made.id, null); box.clear(); area.value = original; area.focus(); }, "btn-quiet")));
}

/* ---- a conversation -------------------------------------------------- */

/** Help beside a conversation: near answers, finished cases like it, and what a model suggests. */
export function openAssist({ api, base, box, input, write }) {
  const out = box.querySelector("#ai-out");
  const draft = box.querySelector("#ai-draft");
  const follow = followBox({ api, area: input, out });
  const side = el("div", { class: "side-help" });
  let asked = -1;
  let ready = false;

  async function help(seq) {
    if (asked === seq) return;
    asked = seq;
    let found;
    try {
      found = await api("GET", base + "/help");
    } catch { return; }
    const parts = [];
    if (found.missing.length) parts.push(el("section", {}, el("h2", {}, "还没说清的"), el("p", {}, found.missing.join("、"))));
    if (found.answers.length) {
      parts.push(el("section", {}, el("h2", {}, "可参考的规则答复"), ...found.answers.map((answer) => el("details", {},
        el("summary", {}, answer.title, answer.awaiting_recheck ? el("span", { class: "tag tag-warn" }, "待人工复核") : ""),
        el("p", { class: "prewrap small" }, answer.text),
        (answer.citations || []).length ? el("p", { class: "muted small" }, "依据：" + answer.citations.join("；")) : ""))));
    }
    if (found.similar.length) {
      parts.push(el("section", {}, el("h2", {}, "办结过的相似件"), ...found.similar.map((other) => el("details", {},
        el("summary", {}, other.title, el("span", { class: "muted small" }, ` ${[other.unit, other.conclusion].filter(Boolean).join(" · ")}`)),
        other.reply ? el("p", { class: "prewrap small" }, other.reply) : "",
        el("p", { class: "small" }, el("a", { href: "/desk/cases/" + encodeURIComponent(other.number) }, "打开 " + other.number))))));
    }
    side.replaceChildren(...parts);
  }

  const assist = el("section", { id: "assist", hidden: true });
  const answer = el("div", { class: "ai-out", "aria-live": "polite" });
  const summarise = button("归纳到现在", async () => {
    const made = await ask(api, base + "/suggestions", { kind: "summary" }, answer, [summarise]);
    if (!made) return;
    const done = () => { answer.replaceChildren(); answer.hidden = true; };
    answer.replaceChildren(card(made, [
      button("有用", () => { end(api, made.id, made.text); toast("已记下"); done(); }),
      button("不用", () => { end(api, made.id, null); done(); }, "btn-quiet"),
    ]));
  });
  const why = el("p", { class: "muted small" });
  assist.append(el("h2", {}, "AI 辅助"), el("p", { class: "ai-acts" }, summarise), why, answer);

  draft.addEventListener("click", async () => {
    const made = await ask(api, base + "/suggestions", { kind: "reply" }, out, [draft]);
    if (!made) return;
    write();
    if (input.value.trim()) {
      out.replaceChildren(card(made, [
        button("换成这份草稿", () => { follow.begin(made, made.text); input.focus(); }, "btn-primary"),
        button("不用", () => { end(api, made.id, null); out.replaceChildren(); out.hidden = true; }, "btn-quiet"),
      ]));
      return;
    }
    await follow.begin(made, made.text);
    input.focus();
  });

  return {
    /** What stands beside the conversation, kept between two looks at it. */
    nodes: () => [assist, side],
    draw(data, canWrite) {
      const state = data.assist;
      ready = Boolean(state && state.ready);
      draft.hidden = !(ready && canWrite);
      assist.hidden = !state;
      summarise.hidden = !ready;
      why.hidden = ready;
      why.textContent = state && state.why ? state.why + "。" : "";
      const said = (data.messages || []).filter((message) => message.from === "visitor").map((message) => message.seq);
      help(Math.max(0, ...said));
    },
    again: follow.again,
    /** Whether the officer has seen what was changed of the draft. */
    seen: () => follow.seen(),
    /** The suggestion that goes out with the words in the box; the box is free again. */
    take() {
      const id = follow.id();
      follow.clear();
      return id;
    },
    /** A button that puts the demand into one sentence; nothing without a model. */
    demand(area) {
      if (!ready) return "";
      const told = el("span", { class: "muted small", role: "status" });
      const one = button("AI 拟一句话诉求", async () => {
        const made = await ask(api, base + "/suggestions", { kind: "title" }, told, [one]);
        if (!made) return;
        area.value = made.demand || made.text;
        area.dataset.suggestion = made.id;
        told.textContent = made.label;
      });
      return el("p", { class: "ai-acts" }, one, told);
    },
    /** The demand was filed like this. */
    filed(area) {
      if (area.dataset.suggestion) end(api, area.dataset.suggestion, area.value.trim() || null);
    },
  };
}
