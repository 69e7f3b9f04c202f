// Plays Tencent's side against a running gateway with two libraries from npm: @wecom/crypto (企业微信 and 微信客服) and
// wechat-crypto (公众号, safe mode). Encryption, padding and signatures come from them, not from us.
// Usage: node tests/wechat_npm_peer.js BINARY, with NODE_PATH pointing at the libraries.
"use strict";

const { spawn } = require("node:child_process");
const fs = require("node:fs");
const http = require("node:http");
const net = require("node:net");
const os = require("node:os");
const path = require("node:path");

const work = require("@wecom/crypto");
const OaCrypto = require("wechat-crypto");

const [TOKEN, APP_ID, CORP_ID] = ["npmtoken", "wxb11529c136998cb6", "ww0123456789"];
// The last character has bits beyond the 32 bytes, as Tencent's own sample key has.
const KEY = "jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2C";
const QUESTION = "简易注销要公示多久";
let nonces = 5_000_000;

function check(name, condition, shown = "") {
  if (!condition) throw new Error(`FAILED ${name}: ${shown}`);
  console.log(`ok  ${name}`);
}

const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

function freePort() {
  return new Promise((resolve) => {
    const server = net.createServer().listen(0, "127.0.0.1", () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

class Gateway {
  async start(binary, folder) {
    this.port = await freePort();
    const account = (kind, name, lines) =>
      `[wechat.${kind}.${name}]\ntoken = "${TOKEN}"\nencoding_aes_key = "${KEY}"\napi_base = "http://127.0.0.1:9"\n${lines}\n`;
    const config = `[server]\nlisten = "127.0.0.1:${this.port}"\ndata_dir = "${folder}"\n` +
      `[database]\nurl = "sqlite://${folder}/zhitong.db"\n` +
      account("oa", "safe", `app_id = "${APP_ID}"\nmode = "safe"`) +
      account("work", "main", `corp_id = "${CORP_ID}"\nagent_id = "1000002"`) +
      account("kf", "main", `corp_id = "${CORP_ID}"\nopen_kfid = "wk1"`);
    fs.writeFileSync(`${folder}/zhitong.toml`, config);
    const log = fs.openSync(`${folder}/log`, "a");
    this.process = spawn(binary, ["serve", "--config", `${folder}/zhitong.toml`], { cwd: folder, stdio: ["ignore", log, log] });
    for (let n = 0; n < 400 && this.process.exitCode === null; n += 1) {
      const ready = await this.call("GET", "/readyz").catch(() => null);
      if (ready && ready.status === 200) return;
      await wait(50);
    }
    throw new Error(`the gateway did not start:\n${fs.readFileSync(`${folder}/log`, "utf8")}`);
  }

  call(method, target, body) {
    return new Promise((resolve, reject) => {
      const options = { host: "127.0.0.1", port: this.port, method, path: target, timeout: 10_000 };
      const request = http.request(options, (answer) => {
        const parts = [];
        answer.on("data", (part) => parts.push(part));
        answer.on("end", () => resolve({ status: answer.statusCode, text: Buffer.concat(parts).toString() }));
      });
      request.on("error", reject);
      request.end(body);
    });
  }

  stop() {
    if (this.process) this.process.kill("SIGKILL");
  }
}

const now = () => String(Math.floor(Date.now() / 1000));
const field = (xml, name) => {
  const found = xml.match(new RegExp(`<${name}>(?:<!\\[CDATA\\[)?([\\s\\S]*?)(?:\\]\\]>)?</${name}>`));
  return found ? found[1] : "";
};
const message = (user, number, words, more = "") =>
  `<xml><ToUserName><![CDATA[gh_npm]]></ToUserName><FromUserName><![CDATA[${user}]]></FromUserName><CreateTime>${now()}</CreateTime>` +
  `<MsgType><![CDATA[text]]></MsgType><Content><![CDATA[${words}]]></Content><MsgId>${number}</MsgId>${more}</xml>`;

function query(signature, timestamp, nonce, more = {}) {
  return new URLSearchParams({ msg_signature: signature, timestamp, nonce, ...more }).toString().replace(/\+/g, "%20");
}

async function official(gateway) {
  const crypto = new OaCrypto(TOKEN, KEY, APP_ID);
  const send = (sealer, cipher) => {
    const [timestamp, nonce] = [now(), String((nonces += 1))];
    const target = `/wechat/oa/safe?${query(sealer.getSignature(timestamp, nonce, cipher), timestamp, nonce, { encrypt_type: "aes" })}`;
    return { target, xml: `<xml><ToUserName>gh_npm</ToUserName><Encrypt><![CDATA[${cipher}]]></Encrypt></xml>`, json: JSON.stringify({ ToUserName: "gh_npm", Encrypt: cipher }) };
  };
  // Every length of padding once.
  for (let n = 0; n < 32; n += 1) {
    const sent = send(crypto, crypto.encrypt(message(`npm${n}`, 100 + n, QUESTION + "？".repeat(n))));
    const answer = await gateway.call("POST", sent.target, sent.xml);
    if (answer.status !== 200) check(`公众号: padding ${n}`, false, `${answer.status} ${answer.text}`);
    const [cipher, timestamp, nonce] = ["Encrypt", "TimeStamp", "Nonce"].map((name) => field(answer.text, name));
    const opened = crypto.decrypt(cipher);
    const right = field(answer.text, "MsgSignature") === crypto.getSignature(timestamp, nonce, cipher) &&
      opened.id === APP_ID && field(opened.message, "ToUserName") === `npm${n}` && field(opened.message, "Content").length > 0;
    if (!right) check(`公众号: padding ${n}`, false, opened.message);
  }
  check("公众号: 32 lengths are opened, and their replies by wechat-crypto", true);
  const reply = send(crypto, crypto.encrypt(message("npm-q", 200, QUESTION)));
  const opened = crypto.decrypt(field((await gateway.call("POST", reply.target, reply.xml)).text, "Encrypt"));
  check("公众号: the answer is the rule's", field(opened.message, "Content").includes("20"), opened.message);
  const body = JSON.stringify({ ToUserName: "gh_npm", FromUserName: "npm-json", CreateTime: Number(now()), MsgType: "text", Content: QUESTION, MsgId: 300 });
  const sent = send(crypto, crypto.encrypt(body));
  const answer = JSON.parse((await gateway.call("POST", sent.target, sent.json)).text);
  const inner = JSON.parse(crypto.decrypt(answer.Encrypt).message);
  check("公众号: JSON is answered in JSON", inner.ToUserName === "npm-json" && inner.Content.includes("20"), JSON.stringify(inner));
  check("公众号: its signature too", answer.MsgSignature === crypto.getSignature(String(answer.TimeStamp), answer.Nonce, answer.Encrypt));
  const stranger = new OaCrypto(TOKEN, KEY, "wx0000000000000000");
  const foreign = send(stranger, stranger.encrypt(message("npm-x", 400, QUESTION)));
  check("公众号: a message for another account is refused", (await gateway.call("POST", foreign.target, foreign.xml)).status === 403);
  const forged = send(crypto, crypto.encrypt(message("npm-x", 401, QUESTION)));
  const other = send(crypto, crypto.encrypt(message("npm-x", 402, QUESTION)));
  check("公众号: another body under a signature is refused", (await gateway.call("POST", forged.target, other.xml)).status === 403);
}

async function enterprise(gateway) {
  const sign = (cipher, more) => {
    const [timestamp, nonce] = [now(), String((nonces += 1))];
    return query(work.getSignature(TOKEN, timestamp, nonce, cipher), timestamp, nonce, more);
  };
  for (const kind of ["work", "kf"]) {
    const echo = work.encrypt(KEY, "1616140317555161061", CORP_ID);
    const answer = await gateway.call("GET", `/wechat/${kind}/main?${sign(echo, { echostr: echo })}`);
    check(`${kind}: the encrypted echo is opened`, answer.status === 200 && answer.text === "1616140317555161061", answer.text);
    const foreign = work.encrypt(KEY, "1", "ww9999999999");
    const refused = await gateway.call("GET", `/wechat/${kind}/main?${sign(foreign, { echostr: foreign })}`);
    check(`${kind}: not for another corporation`, refused.status === 403);
  }
  const cipher = work.encrypt(KEY, message("zhang", 3, QUESTION, "<AgentID>1000002</AgentID>"), CORP_ID);
  const envelope = (text) => `<xml><ToUserName>${CORP_ID}</ToUserName><AgentID>1000002</AgentID><Encrypt><![CDATA[${text}]]></Encrypt></xml>`;
  const answer = await gateway.call("POST", `/wechat/work/main?${sign(cipher)}`, envelope(cipher));
  const [sealed, timestamp, nonce] = ["Encrypt", "TimeStamp", "Nonce"].map((name) => field(answer.text, name));
  const opened = work.decrypt(KEY, sealed);
  check("work: the reply is signed", field(answer.text, "MsgSignature") === work.getSignature(TOKEN, timestamp, nonce, sealed));
  check("work: and opened by @wecom/crypto", opened.id === CORP_ID && field(opened.message, "Content").includes("20"), opened.message);
  const event = `<xml><ToUserName>${CORP_ID}</ToUserName><CreateTime>${now()}</CreateTime><MsgType>event</MsgType><Event>kf_msg_or_event</Event><Token>T</Token><OpenKfId>wk1</OpenKfId></xml>`;
  const called = work.encrypt(KEY, event, CORP_ID);
  const taken = await gateway.call("POST", `/wechat/kf/main?${sign(called)}`, envelope(called));
  check("kf: the callback is taken at once", taken.status === 200 && taken.text === "success", taken.text);
}

async function main() {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "zhitong-npm-"));
  const gateway = new Gateway();
  try {
    await gateway.start(path.resolve(process.argv[2]), folder);
    await official(gateway);
    await enterprise(gateway);
    const log = fs.readFileSync(`${folder}/log`, "utf8");
    check("no token or key stands in the log", !log.includes(TOKEN) && !log.includes(KEY));
  } finally {
    gateway.stop();
    fs.rmSync(folder, { recursive: true, force: true });
  }
}

main().catch((error) => {
  console.error(error.message);
  process.exitCode = 1;
});
