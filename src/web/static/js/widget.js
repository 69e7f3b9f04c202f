// 直通 for other sites, in one line: <script src="https://…/widget.js" async></script>
// Options as data attributes: data-label="在线咨询" data-side="left". Everything lives in a shadow root, so neither page styles the other.
(function () {
  "use strict";
  var script = document.currentScript || document.querySelector('script[src*="/widget.js"]');
  if (!script || window.__zhitongWidget) return;
  window.__zhitongWidget = true;
  var origin = new URL(script.src, location.href).origin;
  var label = script.dataset.label || "在线咨询";
  var left = script.dataset.side === "left";

  function start() {
    var host = document.createElement("div");
    host.style.cssText = "all:initial;position:fixed;z-index:2147483000;bottom:0;" + (left ? "left:0" : "right:0");
    var root = host.attachShadow({ mode: "closed" });
    var sheet =
      ":host{all:initial}*{box-sizing:border-box;font-family:'PingFang SC','Microsoft YaHei','Noto Sans CJK SC',system-ui,sans-serif}" +
      ".open{position:fixed;bottom:24px;" + (left ? "left" : "right") + ":24px;display:flex;align-items:center;gap:8px;min-height:48px;padding:0 20px;border:0;border-radius:24px;" +
      "background:#0d5560;color:#fff;font-size:16px;font-weight:500;line-height:1;cursor:pointer;box-shadow:0 4px 16px rgba(10,30,32,.28)}" +
      ".open:hover{background:#083f48}.open:focus-visible{outline:3px solid #8fd9e0;outline-offset:2px}" +
      ".open svg{width:22px;height:22px;fill:none;stroke:currentColor;stroke-width:2;stroke-linecap:round;stroke-linejoin:round}" +
      ".dot{width:10px;height:10px;border-radius:50%;background:#ffcf5c;display:none}.unread .dot{display:block}" +
      ".frame{position:fixed;bottom:24px;" + (left ? "left" : "right") + ":24px;width:400px;height:min(680px,calc(100vh - 48px));border:1px solid #b9c4c3;border-radius:8px;" +
      "overflow:hidden;background:#fff;box-shadow:0 8px 32px rgba(10,30,32,.24);display:none}.shown .frame{display:block}.shown .open{display:none}" +
      "iframe{width:100%;height:100%;border:0;display:block}" +
      ".note{position:absolute;inset:0;display:none;flex-direction:column;justify-content:center;gap:12px;padding:24px;background:#fff;color:#172223;font-size:16px;line-height:1.6}" +
      ".note p{margin:0}.note p+p{color:#4c5c5b;font-size:14px}.waits .note,.refused .note{display:flex}.refused iframe{visibility:hidden}.waits .note>:not(p){display:none}" +
      ".note a,.note button{display:block;width:100%;min-height:44px;padding:9px 16px;border:1px solid #7b8a88;border-radius:6px;background:#fff;color:#172223;font-size:16px;line-height:1.5;text-align:center;text-decoration:none;cursor:pointer}" +
      ".note a{border-color:#0d5560;background:#0d5560;color:#fff}.note a:hover{background:#083f48}.note :focus-visible{outline:3px solid #0d5560;outline-offset:2px}" +
      "@media(max-width:640px){.frame{inset:0;width:100%;height:100%;height:100dvh;border:0;border-radius:0}.open{bottom:16px;" + (left ? "left" : "right") + ":16px}}" +
      "@media print{.open,.frame{display:none!important}}";
    // A constructed sheet also works where the host's policy forbids inline styles.
    try {
      var css = new CSSStyleSheet();
      css.replaceSync(sheet);
      root.adoptedStyleSheets = [css];
    } catch (_) {
      var style = document.createElement("style");
      style.textContent = sheet;
      root.appendChild(style);
    }

    var box = document.createElement("div");
    var button = document.createElement("button");
    button.type = "button";
    button.className = "open";
    button.setAttribute("aria-haspopup", "dialog");
    var svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    svg.setAttribute("viewBox", "0 0 24 24");
    svg.setAttribute("aria-hidden", "true");
    var path = document.createElementNS("http://www.w3.org/2000/svg", "path");
    path.setAttribute("d", "M4 5h16v11h-8l-5 4v-4H4z");
    svg.appendChild(path);
    var dot = document.createElement("span");
    dot.className = "dot";
    button.append(svg, document.createTextNode(label), dot);
    var frame = document.createElement("div");
    frame.className = "frame";
    frame.setAttribute("role", "dialog");
    frame.setAttribute("aria-label", label);
    box.append(button, frame);
    root.appendChild(box);
    document.body.appendChild(host);

    // What stands in the window until the chat says that it is there, and when it never does.
    var note = document.createElement("div");
    note.className = "note";
    note.setAttribute("role", "status");
    var lines = [document.createElement("p"), document.createElement("p")];
    var link = document.createElement("a");
    link.href = origin + "/chat";
    link.target = "_blank";
    link.rel = "noopener";
    link.textContent = "在新窗口打开对话";
    var again = document.createElement("button");
    again.type = "button";
    again.textContent = "再试一次";
    var shut = document.createElement("button");
    shut.type = "button";
    shut.textContent = "关闭";
    note.append(lines[0], lines[1], link, again, shut);
    frame.append(note);

    var inner = null;
    var ready = false;
    var timer = 0;
    var before = null;
    function say(state, first, second) {
      frame.className = "frame " + state;
      lines[0].textContent = first;
      lines[1].textContent = second;
    }
    function refused() {
      if (ready) return;
      clearTimeout(timer);
      say("refused", "对话窗口没能在这个网页里打开。", "可能是本网站还没有被允许嵌入，或者网络不通。在新窗口打开一样能咨询和反映。");
      if (box.className === "shown") link.focus();
    }
    function load() {
      if (inner) inner.remove();
      ready = false;
      say("waits", "正在打开对话…", "");
      inner = document.createElement("iframe");
      inner.title = label;
      inner.allow = "clipboard-write";
      inner.referrerPolicy = "strict-origin-when-cross-origin";
      // A frame that the chat refuses loads like any other, but no word of the chat comes out of it.
      inner.addEventListener("load", function () { clearTimeout(timer); timer = setTimeout(refused, 1500); });
      inner.src = origin + "/chat?embed=1";
      frame.insertBefore(inner, note);
      timer = setTimeout(refused, 15000);
    }
    function remember(open) {
      try {
        if (open) sessionStorage.setItem("zhitong.open", "1");
        else sessionStorage.removeItem("zhitong.open");
      } catch (_) { /* the site allows no storage: the window stays closed on its next page */ }
    }
    function open(quietly) {
      if (!inner) load();
      box.className = "shown";
      remember(true);
      if (quietly === true) return;
      before = document.activeElement;
      if (frame.className === "frame refused") link.focus();
      else inner.focus();
    }
    function close() {
      box.className = "";
      remember(false);
      // The button is hidden no more: who came from it goes back to it.
      if (before && before !== document.body && before !== host && before.focus) before.focus();
      else button.focus();
    }
    button.addEventListener("click", open);
    again.addEventListener("click", function () { load(); inner.focus(); });
    shut.addEventListener("click", close);
    window.addEventListener("message", function (event) {
      if (!inner || event.source !== inner.contentWindow || event.origin !== origin || !event.data) return;
      if (event.data.type === "zhitong:ready") {
        ready = true;
        clearTimeout(timer);
        frame.className = "frame";
      } else if (event.data.type === "zhitong:close") close();
      else if (event.data.type === "zhitong:message" && box.className !== "shown") box.className = "unread";
    });
    document.addEventListener("keydown", function (event) {
      if (event.key === "Escape" && box.className === "shown") close();
    });
    // A talk under way goes on where the window is no more than a corner of the page.
    try {
      if (sessionStorage.getItem("zhitong.open") && window.innerWidth > 640) open(true);
    } catch (_) { /* as above */ }
  }
  if (document.body) start();
  else document.addEventListener("DOMContentLoaded", start);
})();
