"""Plays Tencent's side against a running gateway. Encryption, signatures and parsing come from wechatpy, not from us."""

import http.client
import re
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from urllib.parse import quote, urlencode

import xmltodict
from wechatpy.crypto import WeChatCrypto, _get_signature
from wechatpy.enterprise.crypto import WeChatCrypto as WorkCrypto
from wechatpy.utils import WeChatSigner

TOKEN, APP_ID, CORP_ID = "peertoken", "wxb11529c136998cb6", "ww0123456789"
KEY = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG"
QUESTION = "简易注销要公示多久"
nonces = iter(range(1_000_000, 9_000_000))


class Gateway:
    def __init__(self, binary, folder):
        self.binary, self.folder = binary, folder
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        with open(f"{folder}/zhitong.toml", "w", encoding="utf-8") as file:
            file.write(f"""
[server]
listen = "127.0.0.1:{self.port}"
data_dir = "{folder}"
[database]
url = "sqlite://{folder}/zhitong.db"
[wechat.oa.main]
app_id = "{APP_ID}"
token = "{TOKEN}"
encoding_aes_key = "{KEY}"
api_base = "http://127.0.0.1:9"
[wechat.oa.safe]
app_id = "{APP_ID}"
token = "{TOKEN}"
encoding_aes_key = "{KEY}"
mode = "safe"
api_base = "http://127.0.0.1:9"
[wechat.work.main]
corp_id = "{CORP_ID}"
agent_id = "1000002"
token = "{TOKEN}"
encoding_aes_key = "{KEY}"
api_base = "http://127.0.0.1:9"
""")
        self.start()

    def start(self):
        log = open(f"{self.folder}/log", "ab")
        self.process = subprocess.Popen(
            [self.binary, "serve", "--config", f"{self.folder}/zhitong.toml"], cwd=self.folder, stdout=log, stderr=log
        )
        for _ in range(400):
            try:
                if self.call("GET", "/readyz")[0] == 200:
                    return
            except OSError:
                pass
            if self.process.poll() is not None:
                break
            time.sleep(0.05)
        sys.exit(f"the gateway did not start:\n{open(f'{self.folder}/log', encoding='utf-8').read()}")

    def kill(self):
        self.process.kill()
        self.process.wait()

    def call(self, method, path, body=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        connection.request(method, path, body.encode() if body else None, {"Content-Type": "text/xml"})
        answer = connection.getresponse()
        return answer.status, answer.read().decode()

    def hang_up(self, path, body):
        """Sends the request and closes the connection without reading."""
        data = body.encode()
        with socket.create_connection(("127.0.0.1", self.port)) as line:
            line.sendall(f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(data)}\r\n\r\n".encode() + data)

    def visitor_messages(self, openid):
        with sqlite3.connect(f"{self.folder}/zhitong.db") as database:
            return database.execute(
                "SELECT COUNT(*) FROM messages m JOIN wechat_users u ON u.conversation_id = m.conversation_id "
                "WHERE u.openid = ? AND m.sender = 'visitor'",
                (openid,),
            ).fetchone()[0]

    def waiting(self):
        with sqlite3.connect(f"{self.folder}/zhitong.db") as database:
            # What a passive reply carried to a repeat stays as a mark that it was sent.
            waiting = "SELECT COUNT(*) FROM outbox WHERE target = 'wechat' AND state <> 'sent'"
            return database.execute(waiting).fetchone()[0]


def check(name, condition, shown=""):
    if not condition:
        sys.exit(f"FAILED {name}: {shown}")
    print(f"ok  {name}")


def text(user, number, words):
    return (
        f"<xml><ToUserName><![CDATA[gh_peer]]></ToUserName><FromUserName><![CDATA[{user}]]></FromUserName>"
        f"<CreateTime>{int(time.time())}</CreateTime><MsgType><![CDATA[text]]></MsgType>"
        f"<Content><![CDATA[{words}]]></Content><MsgId>{number}</MsgId></xml>"
    )


def plain_path(account):
    timestamp, nonce = str(int(time.time())), str(next(nonces))
    signer = WeChatSigner()
    signer.add_data(TOKEN, timestamp, nonce)
    query = {"signature": signer.signature, "timestamp": timestamp, "nonce": nonce, "openid": "x"}
    return f"/wechat/oa/{account}?{urlencode(query)}"


def sealed(crypto, kind, account, message):
    timestamp, nonce = str(int(time.time())), str(next(nonces))
    envelope = xmltodict.parse(crypto.encrypt_message(message, nonce, timestamp))["xml"]
    signer = WeChatSigner()
    signer.add_data(TOKEN, timestamp, nonce)
    query = {"timestamp": timestamp, "nonce": nonce, "msg_signature": envelope["MsgSignature"]}
    if kind == "oa":
        query |= {"signature": signer.signature, "encrypt_type": "aes"}
    body = f"<xml><ToUserName>gh_peer</ToUserName><Encrypt><![CDATA[{envelope['Encrypt']}]]></Encrypt></xml>"
    return f"/wechat/{kind}/{account}?{urlencode(query)}", body


def opened(crypto, reply):
    fields = xmltodict.parse(reply)["xml"]
    plain = crypto.decrypt_message(reply, fields["MsgSignature"], fields["TimeStamp"], fields["Nonce"])
    return xmltodict.parse(plain)["xml"]


def address_checks(gateway):
    echo = plain_path("main") + "&echostr=4375120948345356249"
    check("the address of 公众号 is confirmed", gateway.call("GET", echo) == (200, "4375120948345356249"))
    check("a wrong signature is not", gateway.call("GET", echo.replace("signature=", "signature=0"))[0] == 403)
    work = WorkCrypto(TOKEN, KEY, CORP_ID)
    timestamp, nonce = str(int(time.time())), "77"
    cipher = xmltodict.parse(work.encrypt_message("1616140317555161061", nonce, timestamp))["xml"]["Encrypt"]
    signature = _get_signature(TOKEN, timestamp, nonce, cipher)
    path = f"/wechat/work/main?msg_signature={signature}&timestamp={timestamp}&nonce={nonce}&echostr={quote(cipher, safe='')}"
    check("the encrypted echo of 企业微信 is opened", gateway.call("GET", path) == (200, "1616140317555161061"))


def messages(gateway):
    status, reply = gateway.call("POST", plain_path("main"), text("peer1", 1, QUESTION))
    fields = xmltodict.parse(reply)["xml"]
    check("a plain message is answered", status == 200 and "20" in fields["Content"], reply)
    check("to the user, from the account", (fields["ToUserName"], fields["FromUserName"]) == ("peer1", "gh_peer"), reply)
    check("at most 2048 bytes", len(fields["Content"].encode()) <= 2048)
    crypto = WeChatCrypto(TOKEN, KEY, APP_ID)
    for account in ("main", "safe"):
        path, body = sealed(crypto, "oa", account, text("peer2", f"2{len(account)}", QUESTION))
        status, reply = gateway.call("POST", path, body)
        check(f"an encrypted message is answered encrypted ({account})", "20" in opened(crypto, reply)["Content"], reply)
    check("a safe account refuses plain", gateway.call("POST", plain_path("safe"), text("peer2", 9, QUESTION))[0] == 403)
    stranger = WeChatCrypto(TOKEN, KEY, "wx0000000000000000")
    path, body = sealed(stranger, "oa", "safe", text("peer2", 10, QUESTION))
    check("a message for another account is refused", gateway.call("POST", path, body)[0] == 403)
    work = WorkCrypto(TOKEN, KEY, CORP_ID)
    path, body = sealed(work, "work", "main", text("zhang", 3, QUESTION).replace("</xml>", "<AgentID>1000002</AgentID></xml>"))
    status, reply = gateway.call("POST", path, body)
    check("企业微信 is answered encrypted", status == 200 and "20" in opened(work, reply)["Content"], reply)
    status, reply = gateway.call("POST", plain_path("main"), text("peer3", 4, "]]]]><![CDATA[> & <b>"))
    check("hostile characters get a reply that parses", status == 200 and xmltodict.parse(reply)["xml"]["Content"], reply)


def repeats(gateway):
    answers, body = [], text("peer4", 44, QUESTION)
    copies = [
        threading.Thread(target=lambda: answers.append(gateway.call("POST", plain_path("main"), body))) for _ in range(10)
    ]
    for copy in copies:
        copy.start()
    for copy in copies:
        copy.join()
    contents = {xmltodict.parse(reply)["xml"]["Content"] for _, reply in answers}
    check("ten copies at once get one answer", len(answers) == 10 and len(contents) == 1, contents)
    check("and are one message", gateway.visitor_messages("peer4") == 1, gateway.visitor_messages("peer4"))
    body = text("peer5", 55, QUESTION)
    gateway.hang_up(plain_path("main"), body)
    status, reply = gateway.call("POST", plain_path("main"), body)
    check("a retry after a hung-up line gets the answer", "20" in xmltodict.parse(reply)["xml"]["Content"], reply)
    check("and is one message", gateway.visitor_messages("peer5") == 1)


def killed(gateway):
    """Kill -9 at moments around the commit; the platform tries again as it does."""
    for moment in range(12):
        user, body = f"kill{moment}", text(f"kill{moment}", 100 + moment, QUESTION)
        first = threading.Thread(target=lambda: gateway_call(gateway, body))
        first.start()
        time.sleep(moment * 0.002)
        gateway.kill()
        first.join()
        gateway.start()
        status, reply = gateway.call("POST", plain_path("main"), body)
        check(f"after a kill the retry is answered ({moment})", "20" in xmltodict.parse(reply)["xml"]["Content"], reply)
        check(f"and the message is stored once ({moment})", gateway.visitor_messages(user) == 1)
    check("nothing is left to be sent twice", gateway.waiting() == 0, gateway.waiting())


def gateway_call(gateway, body):
    try:
        gateway.call("POST", plain_path("main"), body)
    except (OSError, http.client.HTTPException):
        pass


def main():
    with tempfile.TemporaryDirectory(prefix="zhitong-peer-") as folder:
        gateway = Gateway(sys.argv[1], folder)
        try:
            address_checks(gateway)
            messages(gateway)
            repeats(gateway)
            killed(gateway)
            with open(f"{folder}/log", encoding="utf-8") as log:
                check("no token or key stands in the log", not re.search(f"{TOKEN}|{KEY}", log.read()))
        finally:
            gateway.kill()


main()
