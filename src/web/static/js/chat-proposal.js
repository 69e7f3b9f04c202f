// What a model proposes beside the form: checked, taken over or left by the person, item by item. Nothing of it is on the
// form before 采用, and the form can be filed without deciding about any of it.
import { el, icon, toast } from "./dom.js";

/**
 * The box inside the form card. `ctx.proposal()` gives what is proposed now, `ctx.decide(body)` tells the server,
 * `fields` are the inputs of the form by key, `ctx.taken(item)` notes what was taken over.
 */
export function proposalBox(ctx, fields) {
  const box = el("section", { class: "proposal", hidden: true, "aria-live": "polite" });
  const rows = new Map(); // key → { node, item }
  let ticket = 0;
  let busy = false;

  const control = (key) => fields.get(key);
  // Whoever has typed into the field has said it already.
  const isTouched = (item) => { const field = control(item.key); return Boolean(field && String(field.read() || "").trim()); };

  async function decide(item, body) {
    if (busy) return;
    busy = true;
    box.setAttribute("aria-busy", "true");
    try {
      await ctx.decide(Object.assign({ ticket }, body));
      if (body.accept) ctx.taken(Object.assign({}, item, { value: body.accept[item.key] }));
    } catch (problem) {
      toast(problem.status ? problem.message : "网络不通，没有记下，请稍后再点");
    }
    busy = false;
    box.removeAttribute("aria-busy");
    show();
  }

  function row(item) {
    const id = "p-" + ticket + "-" + item.key;
    let read = () => item.value;
    let name = el("span", { class: "proposal-key" }, item.label);
    let shown = el("strong", { class: "proposal-value" }, item.value_label);
    if (item.options.length > 1) {
      const select = el("select", { id });
      for (const option of item.options) select.append(el("option", { value: option.value }, option.label));
      select.value = item.value;
      read = () => select.value;
      name = el("label", { class: "proposal-key", for: id }, item.label);
      shown = select;
    }
    return el("li", { dataset: { item: item.key } },
      name, shown,
      el("span", { class: "proposal-do" },
        el("button", { type: "button", class: "btn btn-s", "aria-label": "采用：" + item.label, onclick: () => decide(item, { accept: { [item.key]: read() } }) }, "采用"),
        el("button", { type: "button", class: "btn btn-s btn-quiet", "aria-label": "不用：" + item.label, onclick: () => decide(item, { refuse: [item.key] }) }, "不用")));
  }

  /** Draws what is proposed now; rows that are still there stay, so that a choice under way is not lost. */
  function show() {
    const proposal = ctx.proposal();
    if (!proposal || proposal.ticket !== ticket) {
      rows.clear();
      box.replaceChildren();
      ticket = proposal ? proposal.ticket : 0;
    }
    if (!proposal) {
      box.hidden = true;
      return;
    }
    for (const item of proposal.items.filter((one) => one.accepted)) ctx.taken(item);
    const open = proposal.items.filter((item) => !item.accepted && !isTouched(item));
    if (!box.firstChild) {
      box.append(
        el("p", { class: "proposal-head" }, el("span", { class: "tag tag-warn" }, icon("warn"), proposal.label)),
        el("ul", {}),
        el("p", { class: "muted small" }, "AI 按您说的话提出，可能不对。不采用也能提交，采用后仍可修改。"));
    }
    const list = box.querySelector("ul");
    for (const [key, node] of rows) {
      if (!open.some((item) => item.key === key)) {
        node.remove();
        rows.delete(key);
      }
    }
    for (const item of open) {
      if (rows.has(item.key)) continue;
      const node = row(item);
      rows.set(item.key, node);
      list.append(node);
    }
    box.hidden = open.length === 0;
  }

  return { box, show };
}
