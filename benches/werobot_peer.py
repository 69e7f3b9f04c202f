"""WeRoBot behind gunicorn, for comparison with `cargo bench --bench wechat -- --peer http://127.0.0.1:9100/`.

    python3 -m venv target/werobot && target/werobot/bin/pip install WeRoBot==1.13.1 gunicorn
    cd benches && ../target/werobot/bin/gunicorn -b 127.0.0.1:9100 -w 2 -k gthread --threads 16 werobot_peer:application

It stores nothing and answers every message with the same sentence: the best case for it.
"""

import werobot

robot = werobot.WeRoBot(token="loadtoken", enable_session=False)


@robot.text
def answer(message):
    return "有限责任公司的注册资本，自公司成立之日起5年内缴足。"


application = robot.wsgi
