//! Reading the file and the environment, and checking what was read.

use std::{fmt, path::Path};

use secrecy::SecretString;
use toml::{Table, Value};

use super::{Config, SIX_MONTHS, WechatNotice};

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read configuration file {path}")]
    Read {
        /// The file.
        path: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The values are wrong; every problem is listed.
    #[error("configuration is not usable:\n{}", .0.iter().map(|p| format!("  {p}")).collect::<Vec<_>>().join("\n"))]
    Problems(Vec<Problem>),
}

/// One thing to mend.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// `section.key`, a file with line, or an environment variable.
    pub place: String,
    /// What is wrong and what to do, in Chinese.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}：{}", self.place, self.message)
    }
}

const ENV_PREFIX: &str = "ZHITONG__";

impl Config {
    /// Reads `path` (or `zhitong.toml` in the working directory when it exists, or nothing) and the environment.
    ///
    /// # Errors
    /// `Read` when a named file cannot be read, `Problems` when values are wrong.
    pub fn load(path: Option<&Path>) -> Result<Self, ConfigError> {
        let text = match path {
            Some(path) => Some((path.display().to_string(), read(path)?)),
            None => match std::fs::read_to_string("zhitong.toml") {
                Ok(text) => Some(("zhitong.toml".to_owned(), text)),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
                Err(source) => {
                    return Err(ConfigError::Read { path: "zhitong.toml".into(), source });
                }
            },
        };
        let vars = std::env::vars().filter(|(name, _)| name.starts_with(ENV_PREFIX));
        Self::from_parts(text.as_ref().map(|(path, text)| (path.as_str(), text.as_str())), vars)
    }

    /// Builds a configuration from a file's text and environment variables.
    ///
    /// # Errors
    /// `Problems` when values are wrong, `Read` when a `*_file` cannot be read.
    pub fn from_parts(
        file: Option<(&str, &str)>,
        vars: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, ConfigError> {
        let mut table = Table::new();
        if let Some((path, text)) = file {
            // Parsed on its own first: only this way an error knows its line.
            toml::from_str::<Self>(text).map_err(|e| ConfigError::Problems(vec![file_problem(path, text, &e)]))?;
            table = text.parse::<Table>().map_err(|e| ConfigError::Problems(vec![file_problem(path, text, &e)]))?;
        }
        for (name, value) in vars {
            let keys: Vec<String> = name.trim_start_matches(ENV_PREFIX).split("__").map(str::to_lowercase).collect();
            let mut next = table.clone();
            insert(&mut next, &keys, &value);
            if let Err(error) = next.clone().try_into::<Self>() {
                // A value such as 123 for a text: take it as the text it is.
                let mut as_text = table.clone();
                insert_value(&mut as_text, &keys, Value::String(value));
                if as_text.clone().try_into::<Self>().is_err() {
                    return Err(ConfigError::Problems(vec![Problem {
                        place: format!("环境变量 {name}"),
                        message: with_nearest(error.message()),
                    }]));
                }
                next = as_text;
            }
            table = next;
        }
        let mut config: Self = table.try_into().map_err(|e: toml::de::Error| {
            ConfigError::Problems(vec![Problem { place: "配置".into(), message: with_nearest(e.message()) }])
        })?;
        config.read_secret_files()?;
        let problems = config.validate();
        if problems.is_empty() { Ok(config) } else { Err(ConfigError::Problems(problems)) }
    }

    /// Every problem of the values, independent of what exists outside.
    pub fn validate(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        let mut add = |place: &str, message: String| problems.push(Problem { place: place.into(), message });
        if jiff::tz::TimeZone::get(&self.time.zone).is_err() {
            add("time.zone", format!("没有“{}”这个时区，请写 IANA 名称，如 Asia/Shanghai", self.time.zone));
        }
        if let Err(message) = check_sessions(&self.time.business_hours) {
            add("time.business_hours", message);
        }
        for season in &self.time.seasons {
            if let Err(message) = check_sessions(&season.business_hours) {
                add("time.seasons", message);
            }
        }
        let url = self.database.url.as_str();
        if !["sqlite:", "postgres://", "postgresql://"].iter().any(|scheme| url.starts_with(scheme)) {
            add("database.url", "要以 sqlite:// 或 postgres:// 开头".into());
        }
        if self.database.max_connections.is_some_and(|n| !(2..=200).contains(&n)) {
            add("database.max_connections", "要在 2 与 200 之间".into());
        }
        if self.retention.log_days < SIX_MONTHS {
            add("retention.log_days", format!("登录日志至少保存 {SIX_MONTHS} 天（网络安全法：六个月）"));
        }
        if self.retention.conversation_days == 0 {
            add("retention.conversation_days", "至少 1 天".into());
        }
        if self.region.code.len() != 6 || !self.region.code.bytes().all(|b| b.is_ascii_digit()) {
            add("region.code", "行政区划代码是 6 位数字，如 350000".into());
        }
        if let Some(url) = &self.server.public_url
            && !(url.starts_with("http://") || url.starts_with("https://"))
        {
            add("server.public_url", "要以 http:// 或 https:// 开头".into());
        }
        if !(1_024..=16 * 1024 * 1024).contains(&self.server.request_body_limit) {
            add("server.request_body_limit", "要在 1024 与 16777216 字节之间".into());
        }
        for (name, account) in &self.wechat.oa {
            if !["", "auto", "plain", "safe"].contains(&account.mode.as_str()) {
                add(&format!("wechat.oa.{name}.mode"), "只能是 auto、plain 或 safe".into());
            }
            if !["", "snsapi_base", "snsapi_userinfo"].contains(&account.oauth_scope.as_str()) {
                add(&format!("wechat.oa.{name}.oauth_scope"), "只能是 snsapi_base 或 snsapi_userinfo".into());
            }
            if account.oauth && self.server.public_url.is_none() {
                add(
                    &format!("wechat.oa.{name}.oauth"),
                    "网页授权要先填 server.public_url（回调要回到这个网址）".into(),
                );
            }
            for (milestone, notice) in &account.notices {
                let place = format!("wechat.oa.{name}.notices.{milestone}");
                if let Some(problem) = notice_problem(milestone, notice) {
                    add(&place, problem);
                }
            }
            if account.previous_aes_key_until.as_deref().is_some_and(|day| day.parse::<jiff::civil::Date>().is_err()) {
                add(&format!("wechat.oa.{name}.previous_aes_key_until"), "要写成 2026-12-31 这样的日期".into());
            }
        }
        for (name, account) in &self.wechat.kf {
            if !["", "desk", "pool", "servicer"].contains(&account.handover.as_str()) {
                add(&format!("wechat.kf.{name}.handover"), "只能是 desk、pool 或 servicer".into());
            }
            if account.handover == "servicer" && account.servicer.is_empty() {
                add(&format!("wechat.kf.{name}.servicer"), "handover = \"servicer\" 时要填接待人员的 UserID".into());
            }
        }
        for (n, target) in self.webhooks.outbound.iter().enumerate() {
            if !(target.url.starts_with("http://") || target.url.starts_with("https://")) {
                add(&format!("webhooks.outbound[{n}].url"), "要以 http:// 或 https:// 开头".into());
            }
        }
        problems.extend(self.model.iter().flat_map(super::ModelConfig::problems));
        problems
    }

    fn read_secret_files(&mut self) -> Result<(), ConfigError> {
        if let Some(path) = &self.database.url_file {
            read(Path::new(path))?.trim().clone_into(&mut self.database.url);
        }
        fill(&mut self.chat.identity_secret, self.chat.identity_secret_file.as_deref())?;
        for account in self.wechat.oa.values_mut() {
            fill(&mut account.app_secret, account.app_secret_file.as_deref())?;
            fill(&mut account.token, account.token_file.as_deref())?;
            fill(&mut account.encoding_aes_key, account.encoding_aes_key_file.as_deref())?;
            fill(&mut account.previous_aes_key, account.previous_aes_key_file.as_deref())?;
        }
        for account in self.wechat.work.values_mut() {
            fill(&mut account.secret, account.secret_file.as_deref())?;
            fill(&mut account.previous_aes_key, account.previous_aes_key_file.as_deref())?;
            fill(&mut account.token, account.token_file.as_deref())?;
            fill(&mut account.encoding_aes_key, account.encoding_aes_key_file.as_deref())?;
        }
        for account in self.wechat.kf.values_mut() {
            fill(&mut account.secret, account.secret_file.as_deref())?;
            fill(&mut account.previous_aes_key, account.previous_aes_key_file.as_deref())?;
            fill(&mut account.token, account.token_file.as_deref())?;
            fill(&mut account.encoding_aes_key, account.encoding_aes_key_file.as_deref())?;
        }
        if let Some(model) = &mut self.model {
            fill(&mut model.api_key, model.api_key_file.as_deref())?;
            for endpoint in &mut model.fallback {
                fill(&mut endpoint.api_key, endpoint.api_key_file.as_deref())?;
            }
        }
        for target in &mut self.webhooks.outbound {
            fill(&mut target.secret, target.secret_file.as_deref())?;
        }
        Ok(())
    }
}

fn read(path: &Path) -> Result<String, ConfigError> {
    std::fs::read_to_string(path).map_err(|source| ConfigError::Read { path: path.display().to_string(), source })
}

fn fill(secret: &mut SecretString, file: Option<&str>) -> Result<(), ConfigError> {
    if let Some(path) = file {
        *secret = SecretString::from(read(Path::new(path))?.trim().to_owned());
    }
    Ok(())
}

fn check_sessions(sessions: &[String]) -> Result<(), String> {
    if sessions.is_empty() {
        return Err("至少要有一段办公时间，如 \"08:30-12:00\"".into());
    }
    let mut last = None;
    for session in sessions {
        let parsed = session.split_once('-').and_then(|(from, to)| {
            Some((from.trim().parse::<jiff::civil::Time>().ok()?, to.trim().parse::<jiff::civil::Time>().ok()?))
        });
        let Some((from, to)) = parsed else {
            return Err(format!("“{session}”不是时段，请写成 \"08:30-12:00\""));
        };
        if from >= to || last.is_some_and(|end| from < end) {
            return Err(format!("“{session}”要先后有序、互不重叠"));
        }
        last = Some(to);
    }
    Ok(())
}

/// What is wrong with a notice.
fn notice_problem(milestone: &str, notice: &WechatNotice) -> Option<String> {
    if !WechatNotice::MILESTONES.iter().any(|(name, _)| *name == milestone) {
        let names: Vec<&str> = WechatNotice::MILESTONES.iter().map(|(name, _)| *name).collect();
        return Some(format!("没有“{milestone}”这个节点，可用：{}", names.join("、")));
    }
    if notice.template_id.is_empty() {
        return Some("要填 template_id".into());
    }
    if !["", "template", "subscription"].contains(&notice.kind.as_str()) {
        return Some("kind 只能是 template 或 subscription".into());
    }
    notice.fields.iter().find_map(|(field, words)| {
        let mut rest = words.clone();
        for place in WechatNotice::PLACES {
            rest = rest.replace(place, "");
        }
        rest.contains(['{', '}']).then(|| format!("字段 {field} 里只能用 {}", WechatNotice::PLACES.join(" ")))
    })
}

fn insert(table: &mut Table, keys: &[String], raw: &str) {
    let value = format!("v = {raw}")
        .parse::<Table>()
        .ok()
        .and_then(|mut parsed| parsed.remove("v"))
        .unwrap_or_else(|| Value::String(raw.to_owned()));
    insert_value(table, keys, value);
}

fn insert_value(table: &mut Table, keys: &[String], value: Value) {
    match keys {
        [] => {}
        [key] => {
            table.insert(key.clone(), value);
        }
        [key, rest @ ..] => {
            let entry = table.entry(key.clone()).or_insert_with(|| Value::Table(Table::new()));
            if !entry.is_table() {
                *entry = Value::Table(Table::new());
            }
            if let Value::Table(inner) = entry {
                insert_value(inner, rest, value);
            }
        }
    }
}

fn file_problem(path: &str, text: &str, error: &toml::de::Error) -> Problem {
    let place = error.span().map_or_else(
        || path.to_owned(),
        |span| {
            let before = text.get(..span.start).unwrap_or_default();
            let line = before.matches('\n').count() + 1;
            let column = before.rsplit('\n').next().map_or(0, |l| l.chars().count()) + 1;
            format!("{path}:{line}:{column}")
        },
    );
    Problem { place, message: with_nearest(error.message()) }
}

/// Adds the nearest known key to serde's message about an unknown one.
fn with_nearest(message: &str) -> String {
    let mut quoted = message.split('`').skip(1).step_by(2);
    if !message.starts_with("unknown field") {
        return format!("值不对：{message}");
    }
    let Some(unknown) = quoted.next() else {
        return message.to_owned();
    };
    let nearest = quoted.max_by(|a, b| strsim::jaro(a, unknown).total_cmp(&strsim::jaro(b, unknown)));
    match nearest {
        Some(known) => format!("没有“{unknown}”这一项，是不是想写“{known}”？"),
        None => format!("没有“{unknown}”这一项"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(file: &str, vars: &[(&str, &str)]) -> Vec<String> {
        let vars = vars.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
        match Config::from_parts(Some(("zhitong.toml", file)), vars) {
            Err(ConfigError::Problems(problems)) => problems.iter().map(ToString::to_string).collect(),
            other => panic!("expected problems, got {other:?}"),
        }
    }

    #[test]
    fn defaults_are_valid() {
        assert_eq!(Config::default().validate(), Vec::new());
    }

    #[test]
    fn an_agent_id_is_a_number_or_a_text() {
        for written in ["1000002", "\"1000002\""] {
            let file = format!("[wechat.work.main]\nagent_id = {written}\n");
            let config =
                Config::from_parts(Some(("zhitong.toml", &file)), std::iter::empty()).expect("a configuration");
            assert_eq!(config.wechat.work["main"].agent_id, "1000002");
        }
    }

    #[test]
    fn an_unknown_key_names_the_nearest_one_and_its_line() {
        let found = problems("[server]\nlisten = \"127.0.0.1:1\"\npublic_ulr = \"x\"\n", &[]);
        assert_eq!(found, ["zhitong.toml:3:1：没有“public_ulr”这一项，是不是想写“public_url”？"]);
        let found = problems("", &[("ZHITONG__DATABSE__URL", "x")]);
        assert_eq!(found, ["环境变量 ZHITONG__DATABSE__URL：没有“databse”这一项，是不是想写“database”？"]);
    }

    #[test]
    fn the_environment_wins_over_the_file() {
        let vars = [
            ("ZHITONG__DATABASE__URL".to_owned(), "sqlite://other.db".to_owned()),
            ("ZHITONG__REGION__CODE".to_owned(), "330225".to_owned()),
            ("ZHITONG__LIMITS__MESSAGES_PER_MINUTE".to_owned(), "7".to_owned()),
        ];
        let config = Config::from_parts(Some(("f", "[database]\nurl = \"sqlite://a.db\"\n")), vars).expect("valid");
        assert_eq!(config.database.url, "sqlite://other.db");
        assert_eq!(config.region.code, "330225");
        assert_eq!(config.limits.messages_per_minute, 7);
    }

    #[test]
    fn a_notice_names_a_milestone_and_known_places_only() {
        let file = |body: &str| format!("[wechat.oa.main.notices.{body}");
        assert!(problems(&file("finished]\ntemplate_id = \"T\"\n"), &[])[0].contains("可用：accepted"));
        assert!(problems(&file("accepted]\nkind = \"template\"\n"), &[])[0].contains("template_id"));
        let wrong = "answered]\ntemplate_id = \"T\"\nfields = { thing1 = \"{name}\" }\n";
        assert!(problems(&file(wrong), &[])[0].contains("thing1"));
        let right = file("answered]\ntemplate_id = \"T\"\nfields = { thing1 = \"{title}已答复\" }\n");
        assert!(Config::from_parts(Some(("f", &right)), []).is_ok());
    }

    #[test]
    fn what_wechat_needs_together_is_checked_together() {
        let found = problems("[wechat.oa.main]\noauth = true\noauth_scope = \"all\"\n", &[]);
        assert_eq!(found.len(), 2, "{found:?}");
        let found = problems("[wechat.kf.main]\nhandover = \"servicer\"\n[wechat.kf.b]\nhandover = \"x\"\n", &[]);
        assert_eq!(found.len(), 2, "{found:?}");
        let right = "[server]\npublic_url = \"https://x.cn\"\n[wechat.oa.main]\noauth = true\n[wechat.kf.main]\n\
            handover = \"servicer\"\nservicer = \"zhang\"\n";
        assert!(Config::from_parts(Some(("f", right)), []).is_ok());
    }

    #[test]
    fn every_wrong_value_is_reported_at_once() {
        let found = problems(
            "[time]\nzone = \"Mars/Olympus\"\nbusiness_hours = [\"12:00-08:30\"]\n[database]\nurl = \"mysql://x\"\n",
            &[],
        );
        assert_eq!(found.len(), 3, "{found:?}");
    }

    #[test]
    fn secrets_are_read_from_files_and_never_printed() {
        let dir = tempfile::tempdir().expect("temp dir");
        let path = dir.path().join("secret");
        std::fs::write(&path, "geheim\n").expect("write");
        let text = format!("[[webhooks.outbound]]\nname = \"a\"\nurl = \"http://x\"\nsecret_file = {path:?}\n");
        let config = Config::from_parts(Some(("f", &text)), []).expect("valid");
        assert!(!format!("{config:?}").contains("geheim"));
        assert_eq!(secrecy::ExposeSecret::expose_secret(&config.webhooks.outbound[0].secret), "geheim");
    }
}
