// Attachments: by button, by dragging, by pasting; with progress, and refusals said in plain words.
import { el, icon } from "./dom.js";

const MAX = 20 * 1024 * 1024;
const KINDS = /\.(jpe?g|png|gif|webp|bmp|heic|pdf|docx?|xlsx?|pptx?|wps|et|dps|ofd)$/i;

function size(bytes) {
  return bytes < 1048576 ? Math.max(1, Math.round(bytes / 1024)) + " KB" : (bytes / 1048576).toFixed(1) + " MB";
}

/** Wires the attachment button, dropping and pasting to one tray of uploads. */
export function pickFiles(options) {
  const { button, picker, area, paste, tray } = options;
  button.addEventListener("click", () => picker.click());
  picker.addEventListener("change", () => {
    for (const file of picker.files) add(file);
    picker.value = "";
  });
  paste.addEventListener("paste", (event) => {
    const files = [...(event.clipboardData ? event.clipboardData.files : [])];
    if (files.length === 0) return;
    event.preventDefault();
    files.forEach(add);
  });
  let depth = 0;
  const carriesFiles = (event) => event.dataTransfer && [...event.dataTransfer.types].includes("Files");
  area.addEventListener("dragenter", (event) => { if (carriesFiles(event)) { depth += 1; area.classList.add("dropping"); } });
  area.addEventListener("dragleave", () => { depth = Math.max(0, depth - 1); if (!depth) area.classList.remove("dropping"); });
  area.addEventListener("dragover", (event) => { if (carriesFiles(event)) event.preventDefault(); });
  area.addEventListener("drop", (event) => {
    depth = 0;
    area.classList.remove("dropping");
    if (!carriesFiles(event)) return;
    event.preventDefault();
    [...event.dataTransfer.files].forEach(add);
  });

  function add(file) {
    const note = el("span", { class: "muted" }, size(file.size));
    const bar = el("progress", { max: 100, value: 0, "aria-label": "上传进度" });
    const close = el("button", { type: "button", class: "btn btn-quiet btn-s btn-icon", "aria-label": "移除 " + file.name }, icon("close"));
    const line = el("li", { class: "upload" }, icon(file.type.startsWith("image/") ? "image" : "file"), el("span", { class: "upload-name" }, file.name), note, bar, close);
    tray.append(line);
    tray.hidden = false;
    let request = null;
    const remove = () => { if (request) request.abort(); line.remove(); tray.hidden = tray.children.length === 0; };
    close.addEventListener("click", remove);
    const fail = (text, again) => {
      bar.remove();
      line.classList.add("upload-bad");
      note.className = "error";
      note.textContent = text;
      note.setAttribute("role", "alert");
      if (again) close.before(el("button", { type: "button", class: "link", onclick: () => { line.remove(); add(file); } }, "重试"));
    };
    if (!KINDS.test(file.name)) return fail("只能传图片、PDF 和 Office 文档");
    if (file.size > MAX) return fail("文件超过 20 MB，请压缩后再传");
    if (file.size === 0) return fail("这是一个空文件");
    start();
    async function start() {
      try {
        const target = await options.upload(file);
        request = new XMLHttpRequest();
        request.open("POST", target.url);
        for (const [name, value] of Object.entries(target.headers)) request.setRequestHeader(name, value);
        request.upload.addEventListener("progress", (event) => { if (event.lengthComputable) bar.value = Math.round((event.loaded / event.total) * 100); });
        request.addEventListener("error", () => fail("网络不通，没有传上去", true));
        request.addEventListener("load", () => {
          let data = null;
          try { data = JSON.parse(request.responseText); } catch { /* an answer without JSON is judged by its status */ }
          if (request.status >= 200 && request.status < 300) {
            remove();
            options.done(data || {});
          } else if (request.status === 413) fail("文件太大，服务器没有收");
          else if (request.status === 401) {
            fail("会话已过期，请再传一次", true);
            Promise.resolve(options.denied()).catch(() => {});
          } else fail((data && (data.detail || data.title)) || "没有传上去", request.status >= 500);
        });
        const body = new FormData();
        body.append("file", file, file.name);
        request.send(body);
      } catch {
        fail("网络不通，没有传上去", true);
      }
    }
    return undefined;
  }
}
