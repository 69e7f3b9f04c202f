// Server-sent events over fetch: unlike EventSource it can carry a bearer token, and it resumes with Last-Event-ID.

/**
 * Reads an event stream for as long as the page lives.
 * @param {object} options url, headers() → object, lastId() → string|null, onEvent(name, data, id), onState("open"|"lost"|"denied")
 */
export function openStream(options) {
  let stopped = false;
  let abort = null;
  let wait = 500;
  let timer = 0;
  let watchdog = 0;

  function later() {
    if (stopped) return;
    options.onState("lost");
    clearTimeout(timer);
    timer = setTimeout(run, wait * (0.75 + Math.random() / 2));
    wait = Math.min(wait * 2, 15000);
  }

  function alive(controller) {
    clearTimeout(watchdog);
    // The server sends a heartbeat every 15 s; three missed ones mean a dead line that nobody has closed.
    watchdog = setTimeout(() => controller.abort(), 50000);
  }

  async function run() {
    timer = 0;
    if (stopped) return;
    const controller = new AbortController();
    abort = controller;
    const headers = Object.assign({ Accept: "text/event-stream" }, options.headers());
    const last = options.lastId();
    if (last !== null && last !== undefined) headers["Last-Event-ID"] = String(last);
    try {
      const answer = await fetch(options.url, { headers, signal: controller.signal, cache: "no-store", credentials: "same-origin" });
      if (answer.status === 401 || answer.status === 403) {
        options.onState("denied", answer.status);
        return;
      }
      if (!answer.ok || !answer.body) throw new Error("stream " + answer.status);
      options.onState("open");
      wait = 500;
      alive(controller);
      const reader = answer.body.getReader();
      const decoder = new TextDecoder();
      let buffer = "";
      for (;;) {
        const { done, value } = await reader.read();
        if (done) break;
        alive(controller);
        buffer += decoder.decode(value, { stream: true }).replace(/\r\n?/g, "\n");
        for (let end = buffer.indexOf("\n\n"); end >= 0; end = buffer.indexOf("\n\n")) {
          dispatch(buffer.slice(0, end));
          buffer = buffer.slice(end + 2);
        }
      }
    } catch {
      // Network loss, abort or a bad answer: all lead to a new try.
    }
    clearTimeout(watchdog);
    later();
  }

  function dispatch(block) {
    let name = "message";
    let id = null;
    const data = [];
    for (const line of block.split("\n")) {
      const colon = line.indexOf(":");
      if (colon === 0) continue;
      const field = colon < 0 ? line : line.slice(0, colon);
      const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
      if (field === "event") name = value;
      else if (field === "data") data.push(value);
      else if (field === "id") id = value;
    }
    if (data.length === 0) return;
    let parsed = null;
    try { parsed = JSON.parse(data.join("\n")); } catch { return; }
    options.onEvent(name, parsed, id);
  }

  function kick() {
    if (stopped || !timer) return;
    clearTimeout(timer);
    wait = 500;
    run();
  }
  window.addEventListener("online", kick);
  run();
  return {
    stop() { stopped = true; clearTimeout(timer); clearTimeout(watchdog); window.removeEventListener("online", kick); if (abort) abort.abort(); },
    kick,
  };
}
