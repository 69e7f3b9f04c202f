// The registration form inside the talk: everything said so far, every field open to correction, filed only by 提交.
import { el, icon, newId } from "./dom.js";
import { proposalBox } from "./chat-proposal.js";

/**
 * What was typed into the form of a conversation and not yet filed, as words that can be said again. `kept` is what
 * [`renderForm`] keeps: by field and matter the value that stood there and the one that was typed.
 */
export function formWords(kept) {
  if (!kept) return "";
  const lines = Object.values(kept.matters || {}).filter((matter) => matter.keep !== false && matter.demand).map((matter) => matter.demand);
  for (const item of Object.values(kept.values || {})) if (item.value && item.label) lines.push(`${item.label}：${item.value}`);
  return lines.join("\n");
}

/** Draws the form card of a message. */
export function renderForm(message, ctx) {
  const form = message.form;
  // Kept per conversation, not per card: what is typed here moves on to the card that the next words bring.
  const saved = Object.assign({ values: {}, matters: {} }, ctx.draft.get());
  if (saved.message !== message.id) Object.assign(saved, { message: message.id, client_id: newId() });
  const box = el("form", { class: "form", novalidate: true });
  const done = Boolean(form.submitted);
  box.append(el("h3", {}, icon("note"), done ? "登记表（已提交）" : "登记表"));
  // Channels without cards read the form as text; here the card itself shows it.
  const words = (message.text || "").split(/\n+登记单（/)[0].trim();
  if (words) box.append(el("p", { class: "prewrap" }, words));

  const summary = el("div", { class: "notice form-missing", role: "status" });
  if (!done) box.append(summary);

  const matters = form.matters || [];
  const kept = new Map();
  for (const matter of matters) box.append(matterBlock(matter, matters.length, saved, done, () => { keep(); review(); }, kept));

  const inputs = new Map();
  const grid = el("div", { class: "form-grid" });
  for (const field of form.fields || []) {
    // With matters shown above, their own texts stand for the one "demand" field.
    if (field.key === "demand" && matters.length > 0) continue;
    const base = field.value === undefined || field.value === null ? "" : String(field.value);
    const typed = saved.values[field.key];
    // What was said since it was typed is newer.
    if (typed && typed.base !== base) delete saved.values[field.key];
    const node = fieldNode(field, message, (saved.values[field.key] || {}).value, done);
    node.note = (value) => { saved.values[field.key] = { base, value, label: field.label }; };
    inputs.set(field.key, node);
    grid.append(node.wrap);
    node.control.addEventListener("input", () => { node.note(node.read()); node.setError(""); keep(); review(); if (box.showProposal) box.showProposal(); });
    node.control.addEventListener("change", () => { node.note(node.read()); keep(); review(); });
  }
  // What a model proposes comes later, if at all; it stands between the matters and the fields that it is about.
  if (!done && ctx.proposal) {
    const proposal = proposalBox({ proposal: ctx.proposal, decide: ctx.decide, taken }, inputs);
    box.append(proposal.box);
    box.showProposal = proposal.show;
  }
  box.append(grid);

  /** Shows on this card what was taken over since it was drawn. */
  function taken(item) {
    const mine = saved.taken || (saved.taken = {});
    const field = inputs.get(item.key);
    if (field) {
      // What was changed or emptied since stays as it is.
      if (mine[item.key] !== item.value && !String(field.read() || "").trim()) {
        field.write(item.value);
        field.note(item.value);
      }
      if (field.read() === item.value) field.hint("采用了 AI 建议，可改");
    } else {
      const part = kept.get((ctx.proposal() || {}).matter) || [...kept.values()][0];
      if (part) part.tag(item);
    }
    mine[item.key] = item.value;
    keep();
    review();
  }

  const button = el("button", { class: "btn btn-primary", type: "submit" }, "提交");
  const problem = el("p", { class: "error form-problem", role: "alert", hidden: true });
  if (!done) {
    box.append(problem, el("div", { class: "form-foot" }, el("p", { class: "muted small" }, "点“提交”才会登记，登记后给您编号和查询码。"), button));
  }

  function keep() { ctx.draft.set(saved); }

  function missing() {
    const names = [];
    for (const [key, node] of inputs) if (node.field.required && !String(node.read() || "").trim()) names.push({ key, label: node.field.label });
    return names;
  }

  function review() {
    if (done) return;
    const left = missing();
    const none = matters.length > 0 && ![...kept.values()].some((part) => part.keep());
    for (const node of inputs.values()) node.mark(left.some((item) => item.key === node.field.key));
    summary.replaceChildren();
    if (none) summary.append(icon("info"), el("span", {}, "至少留下一件要提交的事项"));
    else if (left.length) {
      const text = el("span", {}, `还差 ${left.length} 项：`);
      left.forEach((item, index) => {
        if (index) text.append("、");
        text.append(el("button", { type: "button", class: "link", onclick: () => inputs.get(item.key).control.focus() }, item.label));
      });
      summary.append(icon("info"), text);
    } else summary.append(icon("check"), el("span", {}, "必填的都填好了，核对后就能提交；其他项填了办得更快"));
    summary.classList.toggle("notice-ok", !none && left.length === 0);
    summary.classList.toggle("notice-warn", none || left.length > 0);
    const count = matters.length ? [...kept.values()].filter((part) => part.keep()).length : 1;
    button.textContent = matters.length > 1 ? `提交这 ${count} 件` : "提交";
  }
  review();

  // Enter in a field, also the one that ends an input method's word, goes on to the next field: only 提交 files.
  box.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.target.tagName !== "INPUT") return;
    event.preventDefault();
    if (event.isComposing || event.keyCode === 229) return;
    const stops = [...box.querySelectorAll("input, select, textarea, button[type=submit]")].filter((node) => !node.disabled);
    const next = stops[stops.indexOf(event.target) + 1];
    if (next) next.focus();
  });

  let busy = false;
  box.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (busy || done) return;
    const left = missing();
    if (left.length) {
      for (const item of left) inputs.get(item.key).setError("请填写" + item.label);
      inputs.get(left[0].key).control.focus();
      return;
    }
    const parts = matters.map((matter) => kept.get(matter.n).body());
    if (matters.length && !parts.some((part) => part.keep)) {
      review();
      summary.scrollIntoView({ block: "center" });
      return;
    }
    busy = true;
    problem.hidden = true;
    button.disabled = true;
    button.setAttribute("aria-busy", "true");
    const fields = {};
    for (const [key, node] of inputs) fields[key] = node.read();
    keep();
    try {
      const data = await ctx.call("POST", "/case", { client_id: saved.client_id, fields, matters: parts, confirm: true });
      if ((data.cases || []).length > 0) {
        ctx.draft.del();
        form.submitted = true;
        lock(box, button);
      } else saved.client_id = newId();
      ctx.absorb(data);
      button.disabled = Boolean(form.submitted);
    } catch (error) {
      const errors = (error.problem && error.problem.errors) || [];
      let first = null;
      for (const item of errors) {
        const key = String(item.pointer || "").split("/").filter(Boolean).pop();
        const node = inputs.get(key);
        if (node) {
          node.setError(item.message);
          first = first || node;
        }
      }
      problem.textContent = error.status ? error.message : "网络不通，没有提交成功。填写的内容已存在本机，请稍后再点“提交”，不会重复登记。";
      problem.hidden = false;
      if (first) first.control.focus();
      button.disabled = false;
      // A refused form is a new attempt; a lost answer must keep the same id.
      if (error.status && error.status < 500 && error.status !== 429) { saved.client_id = newId(); keep(); }
    }
    button.removeAttribute("aria-busy");
    busy = false;
  });
  return box;
}

function lock(box, button) {
  box.querySelectorAll("input, textarea, select").forEach((node) => { node.disabled = true; });
  const foot = button.closest(".form-foot");
  if (foot) foot.replaceChildren(el("p", { class: "form-done" }, icon("check"), "已提交"));
  const summary = box.querySelector(".form-missing");
  if (summary) summary.remove();
}

function matterBlock(matter, total, saved, done, changed, kept) {
  const base = matter.demand || "";
  const known = saved.matters[matter.n];
  const mine = known && known.base === base ? known : { keep: true, base, demand: base };
  saved.matters[matter.n] = mine;
  const id = "m" + matter.n + "-" + newId().slice(0, 8);
  const area = el("textarea", { id, rows: 3, disabled: done });
  area.value = mine.demand;
  const block = el("fieldset", { class: "matter" });
  const legend = el("legend", {}, total > 1 ? `第 ${matter.n} 件` : "您的事项");
  const tags = { type: el("span", { class: "tag tag-accent" }, matter.type_label || ""), topic: el("span", { class: "tag" }, matter.topic_label || ""), urgency: el("span", { class: "tag tag-warn" }) };
  for (const tag of Object.values(tags)) {
    tag.hidden = !tag.textContent;
    legend.append(tag);
  }
  block.append(legend, el("div", { class: "field" }, el("label", { for: id }, "要解决什么"), area));
  if (matter.lead_hint) block.append(el("p", { class: "hint muted small" }, /办理|单位|：/.test(matter.lead_hint) ? matter.lead_hint : "拟由" + matter.lead_hint + "办理，以分派结果为准"));
  let box = null;
  if (total > 1 && !done) {
    box = el("input", { type: "checkbox", checked: !mine.keep });
    block.append(el("label", { class: "check small" }, box, "不提交这件"));
    box.addEventListener("change", () => { mine.keep = !box.checked; show(); changed(); });
  }
  const show = () => { block.classList.toggle("matter-off", !mine.keep); area.disabled = done || !mine.keep; };
  area.addEventListener("input", () => { mine.demand = area.value; changed(); });
  show();
  kept.set(matter.n, {
    keep: () => mine.keep,
    // Type and topic stay what the server has: this card may be older than what was taken over.
    body: () => ({ n: matter.n, keep: mine.keep, demand: area.value.trim() || matter.demand }),
    tag: (item) => {
      const tag = tags[item.key];
      if (!tag) return;
      const option = (item.options || []).find((one) => one.value === item.value);
      tag.textContent = (option && option.label) || item.value_label;
      tag.hidden = false;
    },
  });
  return block;
}

function fieldNode(field, message, saved, done) {
  const id = "f-" + field.key + "-" + message.seq;
  const value = saved !== undefined && saved !== null ? saved : field.value === undefined || field.value === null ? "" : field.value;
  let control;
  let read;
  if (field.input === "select") {
    control = el("select", { id, disabled: done });
    const options = (field.options || []).map((option) => (typeof option === "string" ? { value: option, label: option } : option));
    if (!options.some((option) => option.value === "")) control.append(el("option", { value: "" }, "请选择"));
    for (const option of options) control.append(el("option", { value: option.value }, option.label || option.value));
    control.value = String(value);
    read = () => control.value;
  } else if (field.input === "checkbox") {
    control = el("input", { id, type: "checkbox", checked: value === true || value === "true" || value === "是", disabled: done });
    read = () => (control.checked ? "true" : "false");
  } else if (field.input === "textarea") {
    control = el("textarea", { id, rows: 3, disabled: done });
    control.value = String(value);
    read = () => control.value.trim();
  } else {
    const type = field.input === "tel" || field.input === "date" ? field.input : "text";
    control = el("input", { id, type, disabled: done, autocomplete: { contact_name: "name", contact_phone: "tel", enterprise: "organization" }[field.key] || "off" });
    if (field.key === "uscc") control.setAttribute("maxlength", "18");
    control.value = String(value);
    read = () => control.value.trim();
  }
  const errorId = id + "-e";
  const error = el("p", { class: "error", id: errorId, hidden: true });
  const need = el("span", { class: "req", hidden: true }, "待填");
  const label = el("label", { for: id }, field.label, need);
  const wide = field.input === "textarea";
  const wrap = field.input === "checkbox"
    ? el("div", { class: "field" }, el("label", { class: "check", for: id }, control, field.label), error)
    : el("div", { class: wide ? "field wide" : "field" }, label, control, error);
  const hint = el("p", { class: "hint", hidden: true });
  const setHint = (text) => { hint.textContent = text; hint.hidden = false; };
  if (field.source === "said" && value && !done) setHint("按您说的填，可改");
  if (field.source === "proposed" && value && !done) setHint("采用了 AI 建议，可改");
  wrap.append(hint);
  const setError = (text) => {
    error.textContent = text;
    error.hidden = !text;
    if (text) {
      control.setAttribute("aria-invalid", "true");
      control.setAttribute("aria-describedby", errorId);
    } else {
      control.removeAttribute("aria-invalid");
      control.removeAttribute("aria-describedby");
    }
  };
  if (field.error) setError(field.error);
  const write = (text) => { control.value = text; setError(""); };
  return { field, wrap, control, read, write, hint: setHint, setError, mark: (missing) => { need.hidden = !missing; } };
}
