// A conversation at the desk: transcript, what the bot knows, taking over, answering, notes, handing on, a case beside it.
import { clockTime, dueTime, el, enterSends, icon, store, toast } from "./dom.js";
import { HOLD, holdMessages } from "./desk-hold.js";
import { openAssist } from "./desk-suggest.js";
import { renderBody, renderMeta } from "./chat-message.js";

const KNOWN = [
  ["enterprise", "企业"], ["uscc", "信用代码"], ["contact_name", "联系人"], ["contact_phone", "电话"], ["contact_email", "邮箱"],
  ["contact_wechat", "微信"], ["place", "地点"], ["object", "涉及单位"], ["happened_on", "发生日期"], ["amount", "金额"], ["matter", "说的事"],
];
const FLAGS = { risk: "风险苗头", emergency: "紧急险情", secret: "疑似涉密", confidential: "要求保密", sensitive: "敏感", repeat: "重复反映" };
const DIVERSION = { D1: "紧急险情", D2: "法定途径", D3: "重复事项", D4: "涉密与隐私", D5: "民事纠纷", D6: "违法诉求", D7: "非本级管辖", D8: "恶意骚扰", D9: "非涉企事项" };
const URGENCY = { urgent: "紧急", critical: "特急" };

/** Opens the conversation in `box`; returns what the desk needs to talk to it. */
export function openTalk(box, { api, refreshList }) {
  const id = box.dataset.conversation;
  const base = "/api/conversations/" + encodeURIComponent(id);
  const $ = (name) => box.querySelector("#" + name);
  const log = $("talk-log");
  const reply = $("reply");
  const input = $("reply-text");
  const officer = document.body.dataset.officer;
  const draftKey = (mode) => `zt.desk.${mode}.${id}`;
  let data = null;
  let mode = "out";
  let closed = false;
  let seen = 0; // the last message that was on the screen when the answer was begun
  let ending = 0; // the moment at which the conversation will be ended
  let couldWrite = false;

  async function load() {
    try {
      const next = await api("GET", base);
      if (closed) return;
      const first = data === null;
      const heard = data ? visitorSeq(data) : null;
      data = next;
      if (heard !== null && visitorSeq(data) > heard) {
        held.pause();
        if (ending) stopEnding("对方又说了话，会话没有结束");
      }
      draw(first);
      if (first) held.resume((data.messages || []).map((message) => message.client_id).filter(Boolean));
    } catch (error) {
      if (closed) return;
      log.replaceChildren(el("div", { class: "empty" }, icon(error.status === 403 || error.status === 404 ? "lock" : "offline"), el("strong", {}, error.message),
        el("p", {}, el("button", { type: "button", class: "btn", onclick: load }, "再试一次"))));
    }
  }

  const visitorSeq = (seen) => Math.max(0, ...(seen.messages || []).filter((message) => message.from === "visitor").map((message) => message.seq));
  const held = holdMessages({
    id,
    send: (message, how) => api("POST", base + "/messages", { client_id: message.client_id, text: message.text, after_seq: message.after_seq, suggestion: message.suggestion || null }, null, how.leaving).then(() => (closed ? null : load())),
    changed() {
      if (closed || !data) return;
      const line = held.waiting() && $("held-words");
      if (line) line.textContent = held.words();
      else drawLog(false);
    },
    back(text, error, suggestion) {
      if (suggestion) assist.again(suggestion);
      if (mode !== "out") setMode("out");
      input.value = input.value.trim() ? text + "\n" + input.value : text;
      store.set(draftKey("out"), input.value);
      seen = newest();
      if (closed || !data) return;
      guard();
      if (error) {
        $("reply-hint").textContent = (error.problem || {}).code === "stale" ? "您写的时候对方又说了话，看过再发。" : error.message + "，文字放回了这里。";
        load();
      }
      input.focus();
    },
  });

  const assist = openAssist({ api, base, box, input, write: () => { if (mode !== "out") setMode("out"); } });

  let again = 0;
  function catchUp() {
    clearTimeout(again);
    again = setTimeout(load, 80);
  }

  // The platform's window runs out whether anything happens or not.
  const ticking = setInterval(() => {
    if (closed) clearInterval(ticking);
    else if (data && data.wechat && data.state !== "closed" && !document.hidden) load();
  }, 60000);

  /* ---- transcript ---- */

  function draw(first) {
    const known = data.known || {};
    $("talk-name").textContent = known.enterprise || known.contact_name || "访客";
    const owner = data.owner;
    const mine = owner && owner.id === officer;
    const words = { bot: "机器人应答中", collecting: "正在填写登记表", queued: "等待人工接入", human: mine ? "您正在接待" : `${(owner && owner.name) || "同事"} 正在接待`, closed: "已结束" };
    $("talk-state").textContent = [words[data.state] || data.state_label, data.channel_label, data.topic_label, data.unit_name].filter(Boolean).join(" · ");
    const follow = drawLog(first);
    drawActs();
    assist.draw(data, (data.allowed_actions || []).includes("messages"));
    drawSide();
    drawPresence(data.viewers || []);
    const may = data.allowed_actions || [];
    const canWrite = may.includes("messages");
    reply.hidden = !(canWrite || may.includes("notes"));
    $("mode-out").disabled = !canWrite;
    $("canned-open").hidden = !canWrite;
    $("reply-attach").hidden = !canWrite;
    if (first) seen = newest(); // all of it is on the screen, also above a draft from before
    if (first || canWrite !== couldWrite) setMode(canWrite ? "out" : "note");
    couldWrite = canWrite;
    if (first && canWrite && matchMedia("(min-width: 1024px)").matches) input.focus({ preventScroll: true });
    const note = $("talk-closed");
    note.hidden = data.state !== "closed" && !ending;
    if (data.state === "closed") note.replaceChildren(icon("info"), el("span", {}, "会话已结束。来访者再发消息时会重新打开。"));
    const limits = $("talk-limits");
    limits.hidden = !data.wechat || data.state === "closed";
    if (data.wechat) limits.replaceChildren(el("strong", {}, data.wechat.words), ...(data.wechat.advice ? [el("span", {}, data.wechat.advice)] : []));
    guard();
    // What was drawn around the log has taken room from it.
    if (follow) toEnd();
  }

  // Whoever reads the end goes on reading it, also when the box below opens or grows.
  let pinned = true;
  const toEnd = () => { log.scrollTop = log.scrollHeight; };
  log.addEventListener("scroll", () => {
    pinned = log.scrollHeight - log.scrollTop - log.clientHeight < 160;
    if (pinned) more.hidden = true;
  }, { passive: true });
  const more = el("button", { type: "button", class: "btn btn-s log-news", hidden: true, onclick: toEnd });
  log.after(more);
  let shownCount = 0;
  const watching = new ResizeObserver(() => { if (pinned) toEnd(); });
  watching.observe(log);

  function drawLog(first) {
    const top = log.scrollTop;
    const rows = [
      ...(data.messages || []).map((message) => ({ at: message.at, seq: message.seq, node: () => drawMessage(message) })),
      ...(data.notes || []).map((note) => ({ at: note.at, seq: 0, node: () => drawNote(note) })),
    ].sort((a, b) => new Date(a.at) - new Date(b.at) || a.seq - b.seq);
    const nodes = rows.map((row) => row.node());
    const waits = held.draw(newest);
    if (waits) nodes.push(waits);
    if (nodes.length === 0) nodes.push(el("div", { class: "empty" }, icon("chat"), el("strong", {}, "还没有消息")));
    const follow = first || pinned || (waits && !held.shown);
    log.replaceChildren(...nodes);
    if (follow) toEnd();
    else {
      log.scrollTop = top;
      const news = nodes.length - shownCount;
      if (news > 0) more.textContent = `${news} 条新消息`;
      more.hidden = more.hidden && news <= 0;
    }
    if (follow) pinned = true;
    if (follow || more.hidden) shownCount = nodes.length;
    held.shown = Boolean(waits);
    return follow;
  }

  function drawMessage(message) {
    const system = message.kind === "event" || (message.from === "system" && message.kind === "text");
    const node = el("article", { class: "msg msg-" + (system ? "system" : message.from) });
    if (!system) {
      if (message.from === "visitor") {
        const meta = el("p", { class: "msg-meta" }, el("strong", {}, (data.known || {}).contact_name || "来访者"), el("time", { datetime: message.at }, clockTime(message.at)));
        const decision = message.decision;
        if (decision) {
          const why = [];
          if (URGENCY[decision.urgency]) why.push(el("span", { class: "tag tag-warn" }, URGENCY[decision.urgency]));
          if (DIVERSION[decision.diversion]) why.push(el("span", { class: "tag tag-late" }, DIVERSION[decision.diversion]));
          meta.append(...why);
        }
        node.append(meta);
      } else node.append(renderMeta(message));
    }
    if (message.attachment) message.attachment.url = "/api/attachments/" + encodeURIComponent(message.attachment.id);
    if (message.form) node.append(drawForm(message.form));
    else node.append(renderBody(message, { copy: () => {} }));
    if (message.from === "visitor" && message.decision && (message.decision.rules || []).length) node.append(drawWhy(message));
    if (message.delivery) node.append(el("p", { class: "small " + (message.delivery.state === "failed" ? "error" : "muted") }, message.delivery.words));
    return node;
  }

  /** “Why the bot said this”: rules that fired, the words they matched, what nearly matched. */
  function drawWhy(message) {
    const decision = message.decision;
    const bytes = new TextEncoder().encode(message.text || "");
    const decoder = new TextDecoder();
    const words = [...new Set((decision.spans || []).map((span) => decoder.decode(bytes.slice(span.from, span.to))).filter((word) => word.trim()))];
    const part = el("details", { class: "basis" }, el("summary", {}, "机器人怎么判断的"));
    if (words.length) part.append(el("p", { class: "evidence" }, el("span", { class: "muted" }, "看到的词"), ...words.slice(0, 12).map((word) => el("span", { class: "tag tag-accent" }, word))));
    part.append(el("p", { class: "muted small" }, "规则：" + (decision.rules || []).slice(0, 8).join("、")));
    const missed = (decision.near_misses || []).map((miss) => `${miss.rule}（${miss.reason}）`);
    if (missed.length) part.append(el("p", { class: "muted small" }, "差一点命中：" + missed.join("、")));
    if ((decision.shadow || []).length) part.append(el("p", { class: "muted small" }, "试运行的规则会命中：" + decision.shadow.join("、")));
    if ((decision.near || []).length) part.append(el("p", { class: "muted small" }, "接近但没用上：" + decision.near.slice(0, 5).join("、")));
    if (typeof decision.confidence === "number" && decision.confidence > 0) part.append(el("p", { class: "muted small" }, `把握 ${Math.round(decision.confidence * 100)}%`));
    return part;
  }

  function drawForm(form) {
    const part = el("div", { class: "form-seen" }, el("h3", {}, form.submitted ? "登记表（已提交）" : "登记表（填写中）"));
    for (const matter of form.matters || []) part.append(el("p", {}, el("span", { class: "tag tag-accent" }, matter.type_label || ""), " ", matter.demand || ""));
    const missing = (form.fields || []).filter((field) => field.missing).map((field) => field.label);
    if (missing.length && !form.submitted) part.append(el("p", { class: "muted small" }, "还差：" + missing.join("、")));
    return part;
  }

  function drawNote(note) {
    return el("article", { class: "msg msg-note" },
      el("p", { class: "msg-meta" }, icon("note"), el("strong", {}, note.author || ""), el("span", {}, "内部备注，企业看不到"), el("time", { datetime: note.at }, clockTime(note.at))),
      el("div", { class: "bubble prewrap" }, note.text));
  }

  /* ---- beside it ---- */

  function drawSide() {
    const side = $("talk-side");
    const known = data.known || {};
    const parts = [];
    const flags = (data.flags || []).map((flag) => FLAGS[flag]).filter(Boolean);
    if (data.handoff_note || flags.length) {
      parts.push(el("section", {}, el("h2", {}, "为什么到这里"), data.handoff_note ? el("p", {}, data.handoff_note) : "", flags.length ? el("p", { class: "evidence" }, ...flags.map((flag) => el("span", { class: "tag tag-late" }, flag))) : ""));
    }
    const facts = el("dl", { class: "facts" });
    for (const [key, label] of KNOWN) if (known[key]) facts.append(el("dt", {}, label), el("dd", {}, String(known[key])));
    parts.push(el("section", {}, el("h2", {}, "机器人已了解"), facts.children.length ? facts : el("p", { class: "muted" }, "还没有说到企业和事项。")));
    const judged = [...(data.messages || [])].reverse().find((message) => message.decision && (message.decision.type || message.decision.topic));
    if (judged) {
      const decision = judged.decision;
      const form = data.form || {};
      const matter = (form.matters || [])[0] || {};
      const list = el("dl", { class: "facts" });
      const put = (name, value) => { if (value) list.append(el("dt", {}, name), el("dd", {}, value)); };
      put("类型", matter.type_label || TYPE[decision.type]);
      put("主题", matter.topic_label || data.topic_label);
      put("紧急", URGENCY[decision.urgency] || "一般");
      put("拟办单位", matter.lead_hint);
      parts.push(el("section", {}, el("h2", {}, "机器人判断"), list));
    }
    if (known.answered) parts.push(el("section", {}, el("h2", {}, "已答过"), el("p", {}, known.answered.question || ""), el("p", { class: "muted small" }, (known.answered.generated ? "AI 生成，依据规则 " : "规则 ") + (known.answered.rule_id || ""))));
    if (data.form && (data.form.matters || []).length) parts.push(el("section", {}, el("h2", {}, "登记表"), ...data.form.matters.map((matter) => el("p", { class: "matter-card" }, matter.demand || "")), known.missing && known.missing.length ? el("p", { class: "muted small" }, "还差：" + known.missing.join("、")) : ""));
    const cases = data.cases || [];
    if (cases.length) parts.push(el("section", {}, el("h2", {}, "已登记"), el("ul", { class: "stack-s" }, ...cases.map((number) => el("li", {}, el("a", { href: "/desk/cases/" + encodeURIComponent(number), class: "mono" }, number))))));
    const promises = (data.promises || []).filter((promise) => promise.state === "open");
    if (promises.length) {
      parts.push(el("section", {}, el("h2", {}, "说过要做的"), ...promises.map((promise) => el("p", {}, promise.text, el("br"), el("span", { class: "muted small" }, dueTime(promise.due_at) + " 前 "),
        el("button", { type: "button", class: "link", onclick: async () => { try { await api("POST", `/api/promises/${promise.id}/end`, { kept: true }); catchUp(); } catch (error) { toast(error.message); } } }, "已做到")))));
    }
    side.replaceChildren(...parts, ...assist.nodes());
  }

  function drawPresence(viewers) {
    const others = viewers.filter((viewer) => viewer.id !== officer && viewer.name !== document.body.dataset.officerName);
    const line = $("presence");
    line.hidden = others.length === 0;
    if (others.length) line.replaceChildren(icon("eye"), others.map((viewer) => `${viewer.name} ${viewer.typing ? "正在回复" : "正在查看"}`).join("，"));
  }

  /* ---- what may be done ---- */

  function drawActs() {
    const may = data.allowed_actions || [];
    const acts = [];
    const button = (label, kind, run) => el("button", { type: "button", class: "btn btn-s " + kind, onclick: run }, label);
    if (may.includes("claim")) acts.push(button("接入", "btn-primary", claim));
    if (may.includes("case")) acts.push(button("建工单", "", makeCase));
    if (may.includes("transfer")) acts.push(button("转给…", "", transfer));
    if (may.includes("release")) acts.push(button("交回", "", release));
    if (may.includes("close")) acts.push(button("结束", "btn-danger", finish));
    $("talk-acts").replaceChildren(...acts);
  }

  async function run(path, body, done) {
    try {
      const answer = await api("POST", base + path, body);
      if (done) toast(done);
      await load();
      refreshList();
      return answer;
    } catch (error) {
      toast(error.message);
      await load();
      refreshList();
      return null;
    }
  }

  async function claim(event) {
    event.currentTarget.disabled = true;
    // The conversation is one's own now, and the list beside it shows one's own.
    if (await run("/claim", { fence: data.fence }, "已接入，机器人不再说话") && data.owner && data.owner.id === officer) location.replace(location.pathname + "?tab=mine");
  }

  function ask(title, nodes, verb, go) {
    const dialog = $("ask");
    const form = dialog.querySelector("form");
    const error = form.querySelector(".error");
    $("ask-t").textContent = title;
    $("ask-body").replaceChildren(...nodes);
    const button = $("ask-go");
    button.textContent = verb;
    button.disabled = false;
    error.hidden = true;
    form.onsubmit = async (event) => {
      event.preventDefault();
      if (button.disabled) return;
      button.disabled = true;
      try {
        const keep = await go();
        if (!keep) dialog.close();
      } catch (problem) {
        const more = ((problem.problem || {}).errors || []).map((item) => item.message).join("；");
        error.textContent = more ? `${problem.message}：${more}` : problem.message;
        error.hidden = false;
      }
      button.disabled = false;
      await load();
      refreshList();
    };
    if (!dialog.open) dialog.showModal();
  }

  function release() {
    const to = el("select", { id: "release-to", class: "input" }, el("option", { value: "queue" }, "回到队列，等别的同事"), el("option", { value: "bot" }, "交回机器人"));
    ask("交回会话", [el("p", { class: "muted" }, "企业会看到一行提示，您不再能直接回复。"), el("div", { class: "field" }, el("label", { for: "release-to" }, "交给谁"), to)], "交回",
      () => api("POST", base + "/release", { to: to.value }).then(() => { toast("已交回"); }));
  }

  async function transfer() {
    let known;
    try {
      known = await api("GET", "/api/colleagues");
    } catch (error) {
      toast(error.message);
      return;
    }
    const group = (label, options) => (options.length ? [el("optgroup", { label }, ...options)] : []);
    const to = el("select", { id: "to-whom", class: "input" }, el("option", { value: "" }, "请选择"),
      ...group("同事（马上接手）", known.items.map((one) => el("option", { value: "o:" + one.id }, `${one.name} · ${one.unit_name}`))),
      ...group("单位（进队列，等人接入）", known.units.map((one) => el("option", { value: "u:" + one.slug }, one.name))));
    const note = el("textarea", { id: "to-note", rows: 3, class: "input", maxlength: 2000 });
    ask("转给同事或单位", [
      el("p", { class: "muted" }, "前面的记录都看得到。转走以后您不能再直接回复；接手的同事会收到通知。"),
      el("div", { class: "field" }, el("label", { for: "to-whom" }, "转给谁"), to),
      el("div", { class: "field" }, el("label", { for: "to-note" }, "交代几句（企业看不到）"), note),
    ], "转过去", () => {
      if (!to.value) throw new Error("请选择转给谁");
      const body = { note: note.value.trim() };
      body[to.value.startsWith("o:") ? "officer_id" : "unit"] = to.value.slice(2);
      return api("POST", base + "/transfer", body).then(() => { toast("已转给 " + to.selectedOptions[0].textContent); });
    });
  }

  function finish() {
    ask("结束会话", [el("p", {}, "企业会看到“本次会话已结束”。还没登记的事项请先建工单。确定后 15 秒内可以撤回。")], "结束", async () => {
      await held.flush();
      ending = Date.now() + HOLD;
      drawEnding();
    });
  }

  let endTimer = 0;
  function drawEnding() {
    clearTimeout(endTimer);
    const note = $("talk-closed");
    const left = Math.ceil((ending - Date.now()) / 1000);
    if (left <= 0) { endNow(); return; }
    note.hidden = false;
    note.replaceChildren(icon("clock"), el("span", {}, `${left} 秒后结束会话 `),
      el("button", { type: "button", class: "link", id: "end-undo", onclick: () => stopEnding("没有结束，可以接着谈") }, "撤回"),
      el("button", { type: "button", class: "link", id: "end-now", onclick: endNow }, "现在结束"));
    endTimer = setTimeout(drawEnding, 1000);
  }
  function stopEnding(words) {
    clearTimeout(endTimer);
    ending = 0;
    $("talk-closed").hidden = true;
    toast(words);
  }
  function endNow() {
    clearTimeout(endTimer);
    ending = 0;
    run("/close", {}, "已结束");
  }

  /** The same form the visitor would fill, pre-filled from what was said. */
  async function makeCase() {
    let form = null;
    let text = "";
    try {
      form = (await api("POST", base + "/case", { confirm: false })).form;
    } catch (error) {
      if (error.status !== 422) { toast(error.message); return; }
    }
    if (!form || !(form.matters || []).length) {
      const area = el("textarea", { id: "case-text", rows: 4, class: "input", maxlength: 4000 });
      ask("建工单", [el("div", { class: "field" }, el("label", { for: "case-text" }, "企业要反映什么"), area)], "下一步", async () => {
        text = area.value.trim();
        if (!text) throw new Error("请先写明是什么事");
        form = (await api("POST", base + "/case", { text, confirm: false })).form;
        caseForm(form, text);
        return true;
      });
      return;
    }
    caseForm(form, text);
  }

  function caseForm(form, text) {
    const areas = [];
    const nodes = [el("p", { class: "muted" }, "提交后登记编号，回执直接发给企业，并开始计受理时间。")];
    const matters = (form.matters || []).map((matter) => {
      const area = el("textarea", { id: "cm-" + matter.n, rows: 3, class: "input" });
      area.value = matter.demand || "";
      areas.push(area);
      const types = el("select", { id: "ct-" + matter.n, class: "input" }, ...(form.types || []).map((type) => el("option", { value: type.value }, type.label)));
      types.value = matter.type;
      const skip = el("input", { type: "checkbox" });
      nodes.push(el("fieldset", { class: "panel" }, el("legend", {}, `第 ${matter.n} 件 ${matter.topic_label || ""}`),
        el("div", { class: "field" }, el("label", { for: "ct-" + matter.n }, "类型"), types),
        el("div", { class: "field" }, el("label", { for: "cm-" + matter.n }, "要解决什么"), area, (form.matters || []).length > 1 ? "" : assist.demand(area)),
        matter.lead_hint ? el("p", { class: "muted small" }, "拟办单位：" + matter.lead_hint) : "",
        (form.matters || []).length > 1 ? el("label", { class: "check small" }, skip, "不提交这件") : ""));
      return () => ({ n: matter.n, keep: !skip.checked, type: types.value || matter.type, topic: matter.topic, demand: area.value.trim() });
    });
    const fields = (form.fields || []).filter((field) => field.key !== "demand").map((field) => {
      const control = field.input === "select"
        ? el("select", { id: "cf-" + field.key, class: "input" }, el("option", { value: "" }, "不选"), ...(field.options || []).map((option) => el("option", { value: option.value || option }, option.label || option)))
        : el("input", { id: "cf-" + field.key, class: "input", type: field.input === "tel" || field.input === "date" ? field.input : "text" });
      control.value = field.value || "";
      nodes.push(el("div", { class: "field" }, el("label", { for: "cf-" + field.key }, field.label, field.required ? el("span", { class: "req" }, "必填") : ""), control, field.error ? el("p", { class: "error" }, field.error) : ""));
      return () => [field.key, control.value.trim()];
    });
    ask("建工单", nodes, "提交", async () => {
      const body = { fields: Object.fromEntries(fields.map((read) => read())), matters: matters.map((read) => read()), confirm: true };
      if (text) body.text = text;
      const answer = await api("POST", base + "/case", body);
      areas.forEach(assist.filed);
      toast("已登记 " + (answer.cases || []).map((item) => item.number).join("、"));
    });
  }

  /* ---- answering ---- */

  let shownMode = false; // nothing of the box belongs to a draft before the first mode is shown
  function setMode(next) {
    if (shownMode) store.set(draftKey(mode), input.value || null);
    shownMode = true;
    mode = next;
    const note = mode === "note";
    reply.classList.toggle("noting", note);
    $("mode-out").setAttribute("aria-selected", String(!note));
    $("mode-note").setAttribute("aria-selected", String(note));
    $("reply-send").classList.toggle("btn-note", note);
    $("canned-open").hidden = note || !(data && (data.allowed_actions || []).includes("messages"));
    $("reply-to").replaceChildren(icon(note ? "lock" : "send"), note ? "内部备注：只有同事看得到" : `发给${(data && (data.known || {}).enterprise) || "来访企业"}，15 秒内可以撤回`);
    input.placeholder = note ? "写给同事的话，企业看不到" : "写给企业的话。Enter 发送，Shift+Enter 换行";
    input.value = store.get(draftKey(mode)) || "";
    guard();
  }
  $("mode-out").addEventListener("click", () => { setMode("out"); input.focus(); });
  $("mode-note").addEventListener("click", () => { setMode("note"); input.focus(); });

  const newest = () => (data && data.messages && data.messages.length ? data.messages[data.messages.length - 1].seq : 0);
  const unseen = () => (data ? data.messages.filter((message) => message.seq > seen && message.from !== "officer" && message.kind !== "event").length : 0);

  /** Whoever began to write before new messages came must look at them before the words go out. */
  function guard() {
    const button = $("reply-send");
    if (!input.value.trim()) seen = newest();
    const behind = mode === "out" ? unseen() : 0;
    button.textContent = mode === "note" ? "记下备注" : behind ? `查看 ${behind} 条新消息后发送` : "发送";
    $("reply-hint").textContent = behind ? "您写的时候对方又说了话，看过再发。" : "";
  }

  let typedAt = 0;
  input.addEventListener("input", () => {
    store.set(draftKey(mode), input.value || null);
    guard();
    if (mode === "out" && input.value && Date.now() - typedAt > 3000) {
      typedAt = Date.now();
      beat(true);
    }
  });

  async function sendNow() {
    const text = input.value.trim();
    if (!text || !data) return;
    const button = $("reply-send");
    if (button.disabled) return;
    if (mode === "out" && unseen() > 0) {
      seen = newest();
      log.scrollTop = log.scrollHeight;
      guard();
      $("reply-hint").textContent = "新消息已显示在上面，再按一次发送。";
      return;
    }
    button.disabled = true;
    if (mode === "out" && !(await assist.seen())) {
      $("reply-hint").textContent = "下面标出了您改动的地方，再按一次发送。";
      button.disabled = false;
      return;
    }
    try {
      const after = newest();
      const suggestion = mode === "out" ? assist.take() : "";
      if (mode === "note") await api("POST", base + "/notes", { text });
      input.value = "";
      store.del(draftKey(mode));
      if (mode === "note") await load();
      else await held.begin(text, after, suggestion);
    } catch (error) {
      $("reply-hint").textContent = error.status ? error.message : "没有记下，文字还在，请再按一次。";
    }
    button.disabled = false;
    if (!input.value) guard();
    input.focus();
  }
  /* ---- a file to the visitor ---- */

  $("reply-attach").addEventListener("click", () => $("reply-file").click());
  $("reply-file").addEventListener("change", async () => {
    const picker = $("reply-file");
    const file = picker.files[0];
    picker.value = "";
    if (!file) return;
    const form = new FormData();
    form.append("client_id", newId());
    form.append("file", file);
    const button = $("reply-attach");
    button.disabled = true;
    $("reply-hint").textContent = "正在上传 " + file.name;
    try {
      await api("POST", base + "/attachments", form);
      $("reply-hint").textContent = "";
      await load();
    } catch (error) {
      $("reply-hint").textContent = error.message;
    }
    button.disabled = false;
  });

  reply.addEventListener("submit", (event) => { event.preventDefault(); sendNow(); });
  enterSends(input, sendNow);

  $("side-toggle").addEventListener("click", (event) => {
    const on = box.classList.toggle("side-open");
    event.currentTarget.setAttribute("aria-expanded", String(on));
    event.currentTarget.textContent = on ? "看对话" : "情况";
  });

  /* ---- canned answers ---- */

  const canned = $("canned");
  let searchTimer = 0;
  async function search() {
    const q = $("canned-q").value.trim();
    const list = $("canned-list");
    list.replaceChildren(el("li", {}, el("div", { class: "skeleton sk-1" })));
    try {
      const found = (await api("GET", "/api/canned?limit=12&q=" + encodeURIComponent(q))).items || [];
      if (found.length === 0) list.replaceChildren(el("li", { class: "empty" }, el("strong", {}, "没有找到"), "换个词试试"));
      else {
        list.replaceChildren(...found.map((item) => el("li", {}, el("button", { type: "button", onclick: () => {
          const cites = (item.citations || []).length ? "\n依据：" + item.citations.join("；") : "";
          input.value = (input.value ? input.value + "\n" : "") + item.text + cites;
          input.dispatchEvent(new Event("input"));
          canned.close();
          input.focus();
        } }, el("strong", {}, item.title, item.awaiting_recheck ? el("span", { class: "tag tag-warn" }, "待人工复核") : ""), el("span", {}, item.text)))));
      }
    } catch (error) {
      list.replaceChildren(el("li", { class: "empty" }, error.message));
    }
  }
  $("canned-open").addEventListener("click", () => {
    const last = [...((data && data.messages) || [])].reverse().find((message) => message.from === "visitor" && message.kind === "text");
    $("canned-q").value = last ? (last.text || "").slice(0, 30) : "";
    canned.showModal();
    $("canned-q").select();
    search();
  });
  $("canned-q").addEventListener("input", (event) => { if (!event.isComposing) { clearTimeout(searchTimer); searchTimer = setTimeout(search, 250); } });
  $("canned-q").addEventListener("compositionend", () => { clearTimeout(searchTimer); searchTimer = setTimeout(search, 250); });

  /* ---- presence ---- */

  async function beat(typing) {
    if (closed || document.hidden) return;
    try {
      const answer = await api("POST", base + "/presence", { typing: Boolean(typing) });
      drawPresence(answer.viewers || []);
    } catch { /* the next beat will tell */ }
  }
  const heart = setInterval(() => beat(Date.now() - typedAt < 5000), 10000);
  let typingTimer = 0;

  load().then(() => beat(false));

  return {
    catchUp: load,
    close() {
      closed = true;
      clearInterval(heart);
      clearTimeout(again);
      clearTimeout(endTimer);
      if (shownMode) store.set(draftKey(mode), input.value || null);
      held.leave();
      if (ending) api("POST", base + "/close", {}, null, true).catch(() => { /* still open, and in the list of one's own */ });
      ending = 0;
    },
    onEvent(name, event) {
      const about = event.id || event.conversation_id || event.conversation;
      if (about !== id && name !== "reload") return;
      if (name === "presence") drawPresence(event.viewers || []);
      else if (name === "typing") {
        const state = $("talk-state");
        const before = state.dataset.words || state.textContent;
        state.dataset.words = before;
        state.textContent = "对方正在输入…";
        clearTimeout(typingTimer);
        typingTimer = setTimeout(() => { state.textContent = before; delete state.dataset.words; }, 4000);
      } else catchUp();
    },
  };
}

const TYPE = {
  consultation: "咨询", suggestion: "建议", coordination: "办事协调", help: "求助", complaint: "投诉", report: "举报", stuck: "办不成事",
  arrears: "拖欠账款", conduct: "作风问题", risk: "风险隐患", praise: "表扬", rating_review: "差评核实", service_order: "服务预约",
};
