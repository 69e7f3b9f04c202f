// Where messages stand and what of them is in sight: opens at the newest, stays there while the window or a message
// grows, and adds older ones above without moving what is being read.

/**
 * `log` is the scrolling area, `more` the button that leads to the end, `older` the one that fetches what came before;
 * `draw(message)` makes the node of a message, `fetchOlder()` adds a part and tells whether there is more.
 */
export function openLog({ log, more, older, draw, fetchOlder }) {
  const start = document.getElementById("log-start");
  let pinned = true;
  let loading = false;

  const isNear = () => log.scrollHeight - log.scrollTop - log.clientHeight < 120;

  function settle() {
    pinned = isNear();
    if (pinned) more.hidden = true;
  }

  function toEnd() {
    log.scrollTop = log.scrollHeight;
    settle();
  }

  /** Shows what came from `node` on: its end, or its beginning where it is higher than the window (a form on a phone). */
  function toNew(node) {
    const top = node ? node.getBoundingClientRect().top - log.getBoundingClientRect().top : 0;
    const height = node ? log.scrollHeight - log.scrollTop - top : 0;
    if (!node || height <= log.clientHeight + 48) {
      toEnd();
      return;
    }
    log.scrollTop += top - 8;
    settle();
    more.textContent = "往下看";
    more.hidden = pinned;
  }

  /** Something came below of what is being read. */
  function news() {
    more.textContent = "有新消息";
    more.hidden = false;
  }

  /** Changes the log and leaves what is in sight where it is. */
  function hold(change) {
    const below = log.scrollHeight - log.scrollTop;
    change();
    log.scrollTop = log.scrollHeight - below;
  }

  /** Puts a message at its place by number; almost always that is the end. */
  function place(message) {
    const node = draw(message);
    const all = log.querySelectorAll(".msg[data-seq]");
    let after = start;
    for (let n = all.length - 1; n >= 0; n -= 1) {
      if (Number(all[n].dataset.seq) < message.seq) {
        after = all[n];
        break;
      }
    }
    after.after(node);
    return node;
  }

  async function loadOlder() {
    if (loading || older.hidden) return;
    loading = true;
    older.setAttribute("aria-busy", "true");
    // What is added above is no news to be read aloud.
    log.setAttribute("aria-busy", "true");
    try {
      older.hidden = !(await fetchOlder());
      older.textContent = "看更早的消息";
    } catch {
      older.textContent = "没有取到更早的消息，点这里再试";
    }
    older.removeAttribute("aria-busy");
    log.removeAttribute("aria-busy");
    loading = false;
  }

  log.addEventListener("scroll", () => {
    settle();
    if (log.scrollTop < 300 && !older.hidden && !older.textContent.startsWith("没有")) loadOlder();
  }, { passive: true });
  older.addEventListener("click", loadOlder);
  more.addEventListener("click", toEnd);
  // A keyboard that comes up or a composer that grows takes room from the log: whoever read the end still does.
  new ResizeObserver(() => { if (pinned && log.querySelector(".msg:not(.typing)")) toEnd(); }).observe(log);

  return { place, isNear, toEnd, toNew, news, hold };
}
