//! What the gateway asks models for, and what it hands over for each: the frame that prompt files fill with words.

/// One value that the gateway hands over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Variable {
    /// Its name between the braces.
    pub name: &'static str,
    /// It is JSON already (or a list of our own words) and put in as it is. Everything else is somebody's text and
    /// goes in as a JSON string, so that no quotation can be closed from within.
    pub raw: bool,
    /// What it is, for administrators.
    pub about: &'static str,
}

/// One task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TaskFrame {
    /// Slug, the same as in `ports::model`.
    pub slug: &'static str,
    /// The answer must be JSON.
    pub json: bool,
    /// Fields of that JSON which the gateway reads; a prompt must name each.
    pub fields: &'static [&'static str],
    /// What is handed over.
    pub variables: &'static [Variable],
}

const fn text(name: &'static str, about: &'static str) -> Variable {
    Variable { name, raw: false, about }
}

const fn raw(name: &'static str, about: &'static str) -> Variable {
    Variable { name, raw: true, about }
}

/// Every task that needs a prompt file.
pub const TASKS: &[TaskFrame] = &[
    TaskFrame {
        slug: "answer",
        json: true,
        fields: &["status", "cites", "answer", "confidence"],
        variables: &[
            text("问题", "来信人这一句话，个人信息已替换"),
            raw("前文", "来信人此前几句话，JSON 数组"),
            raw("资料", "检索到的政策资料，JSON 数组，每条有 id、标题、正文、依据"),
            text("今天", "日期，如 2026年11月25日"),
            text("地区", "本平台所在地区"),
        ],
    },
    TaskFrame {
        slug: "classify",
        json: true,
        fields: &["type", "topic", "urgency", "slots"],
        variables: &[
            text("来文", "来信人的话，个人信息已替换"),
            raw("类型表", "可选类型，JSON 数组，每项有 slug 和 label"),
            raw("主题表", "可选主题，JSON 数组，每项有 code 和 label"),
            raw("要素表", "要提取的要素，JSON 数组，每项有 slot 和 label"),
            text("今天", "日期"),
        ],
    },
    TaskFrame {
        slug: "title",
        json: true,
        fields: &["title", "demand"],
        variables: &[
            raw("来文", "来信人的话，JSON 数组，个人信息已替换"),
            text("类型", "事项类型"),
            text("主题", "主题"),
        ],
    },
    TaskFrame {
        slug: "draft",
        json: true,
        fields: &["status", "cites", "answer", "confidence"],
        variables: &[
            raw("诉求", "诉求内容与办理情况，JSON 对象，个人信息已替换"),
            raw("资料", "检索到的政策资料，JSON 数组"),
            text("单位", "答复单位"),
            text("今天", "日期"),
        ],
    },
    TaskFrame {
        slug: "summary",
        json: true,
        fields: &["summary", "demand", "facts", "asked", "open"],
        variables: &[raw("对话", "整段对话，JSON 数组，每项有 from 和 text，个人信息已替换"), text("今天", "日期")],
    },
    TaskFrame {
        slug: "rewrite",
        json: false,
        fields: &[],
        variables: &[text("原文", "单位的正式答复，个人信息已替换")],
    },
];

/// The frame of a task.
pub fn frame(slug: &str) -> Option<&'static TaskFrame> {
    TASKS.iter().find(|task| task.slug == slug)
}
