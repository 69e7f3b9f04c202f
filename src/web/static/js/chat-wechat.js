// 在微信继续: a QR code that joins this conversation with the WeChat user who scans it, or WeChat's own login within WeChat.
import { toast } from "./dom.js";

const JOINED = "已接上微信";

/** `call` asks the chat API, `ready` opens a session first. Returns a function that looks at every message. */
export function offerWechat({ call, ready }) {
  const $ = (id) => document.getElementById(id);
  const button = $("wechat-open");
  if (!button) return () => {};
  const dialog = $("wechat");
  const picture = $("wechat-code");
  const state = $("wechat-state");
  let timer = 0;

  function over() {
    picture.hidden = true;
    state.textContent = "二维码已过期。";
    $("wechat-again").hidden = false;
  }

  async function draw() {
    clearTimeout(timer);
    $("wechat-again").hidden = true;
    state.textContent = "正在取二维码…";
    try {
      await ready();
      const code = await call("POST", "/wechat", {});
      picture.src = code.image;
      picture.alt = "用微信扫描的二维码";
      picture.hidden = false;
      const left = new Date(code.expires_at) - Date.now();
      state.textContent = "10 分钟内有效，只能用一次，请不要发给别人。手机上可以长按识别。";
      timer = setTimeout(over, Math.max(1000, Math.min(left, 600000)));
    } catch (problem) {
      picture.hidden = true;
      state.textContent = (problem && problem.status && problem.message) || "网络不通，没能取到二维码。";
      $("wechat-again").hidden = false;
    }
  }

  button.addEventListener("click", () => {
    // Within WeChat nobody can scan their own screen; where the account can, it logs in.
    if (button.dataset.login && /MicroMessenger/i.test(navigator.userAgent) && window.top === window) {
      location.assign(button.dataset.login);
      return;
    }
    dialog.showModal();
    draw();
  });
  $("wechat-again").addEventListener("click", draw);
  dialog.addEventListener("close", () => { clearTimeout(timer); picture.hidden = true; picture.removeAttribute("src"); });

  return (message) => {
    if (dialog.open && message.from === "system" && message.text.startsWith(JOINED)) {
      dialog.close();
      toast("已接上微信，可以在微信里接着说");
    }
  };
}
