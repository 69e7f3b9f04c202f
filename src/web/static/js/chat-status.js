// What the page says about itself: who answers, whether somebody writes, whether the line is up.
import { icon } from "./dom.js";

const $ = (id) => document.getElementById(id);

/** The line under the title and the button that calls a person. */
export function showState(conversation) {
  const officer = conversation.officer || conversation.author || {};
  const ahead = conversation.queue_position;
  const lines = {
    bot: "规则自动答复",
    collecting: "登记中，提交前都能改",
    queued: typeof ahead === "number" && ahead > 0 ? `已转人工，前面还有 ${ahead} 位` : "已转人工，等待工作人员接入",
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

let typingTimer = 0;

/** Three dots while somebody writes; `null` takes them away. Tells whether they are there. */
export function showTyping(data) {
  const line = $("typing");
  clearTimeout(typingTimer);
  const on = Boolean(data) && data.active !== false && data.from !== "visitor";
  line.hidden = !on;
  if (!on) return false;
  const name = data.name || (data.author && data.author.name);
  $("typing-text").textContent = data.from === "officer" ? (name ? name + " 正在输入" : "工作人员正在输入") : data.text || "正在查找答复";
  typingTimer = setTimeout(() => { line.hidden = true; }, data.from === "officer" ? 6000 : 15000);
  return true;
}

let pillTimer = 0;
let lostAt = 0;

/** The pill at the top: nothing for a moment, then that the line is being mended, then that it is down. */
export function connected(ok) {
  clearTimeout(pillTimer);
  if (ok) {
    lostAt = 0;
    $("pill").hidden = true;
    return;
  }
  if (!lostAt) lostAt = Date.now();
  const show = () => {
    const offline = navigator.onLine === false || Date.now() - lostAt > 10000;
    $("pill").replaceChildren(icon(offline ? "offline" : "retry"), offline ? "网络不通，写好的话先存在本机，恢复后再发" : "正在重新连接…");
    $("pill").hidden = false;
    pillTimer = setTimeout(show, 2000);
  };
  pillTimer = setTimeout(show, Math.max(0, (navigator.onLine === false ? 0 : 1500) - (Date.now() - lostAt)));
}
