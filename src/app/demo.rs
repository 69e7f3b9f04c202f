//! Made-up data for `serve --demo`: officers of every role, enterprises that do not exist, cases in many states with
//! clocks that are right today. Everything is marked 演示. Loading it twice adds nothing.
//!
//! The cases are not written into the tables as they should look: each is told as a story of actions in the past, and
//! the rules of the field decide what comes of it.

mod stories;

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use super::{App, AppError, auth, case_save, clocks, visitors};
use crate::{
    domain::{access::Role, case::Actor, ids::OfficerId},
    store::{
        cases::{self, events},
        conversations::{self, MessageRow},
        instance, officers, timers,
    },
};

/// An account of the demonstration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DemoAccount {
    /// Login name.
    pub login: String,
    /// Name shown to people.
    pub name: String,
    /// Its roles in words.
    pub roles: String,
}

/// What was loaded, to be printed at start.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Demo {
    /// The accounts of the staff.
    pub accounts: Vec<DemoAccount>,
    /// The password of all of them.
    pub password: String,
    /// Number and query code of a case to look up.
    pub sample: Option<(String, String)>,
    /// How many cases there are.
    pub cases: usize,
}

/// The officers of the story, by login.
pub(super) struct Cast(BTreeMap<String, (OfficerId, String, Roles)>);

/// Roles, each in a unit.
type Roles = Vec<(Role, String)>;

impl Cast {
    /// The officer with this login as actor.
    pub(super) fn actor(&self, login: &str) -> Option<Actor> {
        let (id, name, roles) = self.0.get(login)?;
        Some(Actor::Officer(crate::domain::case::OfficerStamp {
            id: *id,
            name: name.clone(),
            roles: roles.clone(),
            deputy_of: Vec::new(),
        }))
    }

    /// Account and name of the officer with this login.
    pub(super) fn person(&self, login: &str) -> Option<(OfficerId, String)> {
        self.0.get(login).map(|(id, name, _)| (*id, name.clone()))
    }
}

/// Units that lead cases of the demonstration and have their own officers.
const LEADS: [&str; 12] = ["zjj", "gdgs", "rsj", "czj", "scj", "swj", "zrzy", "hbj", "jrb", "gxj", "xfj", "zfb"];

/// Who works in the demonstration: login, name, roles with units.
fn people(app: &App) -> Vec<(String, String, Roles)> {
    let content = app.content.load();
    let units = content.routing.units();
    let centre = |login: &str, name: &str, role: Role| {
        (login.to_owned(), format!("{name}（演示）"), vec![(role, String::new())])
    };
    let mut people = vec![
        centre("zuoxi", "坐席", Role::FrontDesk),
        centre("zuoxi2", "坐席二", Role::FrontDesk),
        centre("fenpai", "分派员", Role::Dispatcher),
        centre("hecha", "核实回访员", Role::Verifier),
        centre("duban", "督办员", Role::Supervisor),
        centre("lingdao", "挂钩领导", Role::Leader),
        centre("qianpi", "签批领导", Role::Leader),
        centre("jijian", "作风监督员", Role::Discipline),
        centre("guize", "规则编辑", Role::RuleEditor),
        centre("fabu", "规则发布", Role::RulePublisher),
        centre("shenji", "审计员", Role::Auditor),
    ];
    for slug in LEADS {
        let Some(unit) = units.find(slug) else { continue };
        let short = &unit.short_name;
        let own = |role: Role| (role, slug.to_owned());
        let suffix = if slug == "zjj" { String::new() } else { format!("-{slug}") };
        // Sealed cases are in the hands of discipline alone: whoever handles them and whoever signs belongs to it.
        let of_discipline = |role: Role| {
            let mut roles = vec![own(role)];
            if slug == "zfb" {
                roles.push(own(Role::Discipline));
            }
            roles
        };
        people.push((format!("dengji{suffix}"), format!("{short}登记员（演示）"), vec![own(Role::UnitClerk)]));
        people.push((format!("chengban{suffix}"), format!("{short}承办人（演示）"), of_discipline(Role::Handler)));
        people.push((
            format!("fenguan{suffix}"),
            format!("{short}分管负责人（演示）"),
            of_discipline(Role::UnitLeader),
        ));
    }
    people
}

/// Loads the demonstration, unless it is there already, and tells how to log in.
///
/// # Errors
/// `Store`, `Internal`.
pub async fn load(app: &App) -> Result<Demo, AppError> {
    let known = {
        let mut tx = app.db.read().await?;
        instance::get(&mut tx, "demo_password").await?
    };
    let password = if let Some(password) = &known {
        password.clone()
    } else {
        let mut bytes = [0; 4];
        app.ids.fill(&mut bytes);
        format!("yanshi-{}", hex::encode(bytes))
    };
    let cast = accounts(app, &password).await?;
    let mut demo = Demo {
        accounts: cast
            .0
            .iter()
            .map(|(login, (_, name, roles))| DemoAccount {
                login: login.clone(),
                name: name.clone(),
                roles: roles.iter().map(|(role, _)| role.label()).collect::<Vec<_>>().join("、"),
            })
            .collect(),
        password: password.clone(),
        ..Demo::default()
    };
    if known.is_none() {
        cases_of(app, &cast).await?;
        conversations_of(app).await?;
        let mut tx = app.db.write().await?;
        instance::set(&mut tx, "demo_password", &password).await?;
        tx.commit().await?;
    }
    let mut tx = app.db.read().await?;
    let ids = cases::ids_after(&mut tx, "", 1_000).await?;
    demo.cases = ids.len();
    for id in ids {
        let Ok(id) = id.parse() else { continue };
        if let Some(case) = cases::find(&mut tx, id).await?
            && case.status == crate::domain::case::CaseStatus::AwaitingConfirm
        {
            demo.sample = Some((case.display_number(), case.query_code.grouped()));
            break;
        }
    }
    Ok(demo)
}

async fn accounts(app: &App, password: &str) -> Result<Cast, AppError> {
    let people = people(app);
    let mut missing = Vec::new();
    let mut cast = BTreeMap::new();
    {
        let mut tx = app.db.read().await?;
        for (login, name, roles) in people {
            match officers::find_by_login(&mut tx, &login).await? {
                Some(row) => {
                    let id = row.id.parse().map_err(|_| AppError::Internal("officer id".to_owned()))?;
                    cast.insert(login, (id, row.name, roles));
                }
                None => missing.push((login, name, roles)),
            }
        }
    }
    if missing.is_empty() {
        return Ok(Cast(cast));
    }
    let hash = auth::hash_password(app, password).await?;
    let now = app.now();
    let mut tx = app.db.write().await?;
    for (login, name, roles) in missing {
        let id = OfficerId::from_uuid(app.ids.uuid(now));
        let new =
            officers::NewOfficer { id, login: &login, name: &name, password_hash: &hash, must_change_password: false };
        officers::insert(&mut tx, &new, now).await?;
        officers::set_roles(&mut tx, id, &roles).await?;
        cast.insert(login, (id, name, roles));
    }
    tx.commit().await?;
    Ok(Cast(cast))
}

async fn cases_of(app: &App, cast: &Cast) -> Result<(), AppError> {
    let now = case_save::now_ms(app);
    let told = stories::tell(app, cast, now);
    let mut tx = app.db.write().await?;
    for mut story in told {
        let zone_day = |at: Timestamp| app.content.load().schedule.civil(at).date();
        let number = cases::next_number(&mut tx, zone_day(story.case.submitted_at)).await?;
        story.case.number = number;
        cases::insert(&mut tx, &story.case).await?;
        events::append(&mut tx, &story.events, None).await?;
        let setting = case_save::Setting::new(app, now);
        let waiting = setting.run(|env| clocks::plan(&story.case, env))?;
        // What would have fired in the past has fired: only what lies ahead waits.
        let ahead: Vec<_> = waiting.into_iter().filter(|timer| timer.at > now).collect();
        let version = setting.content().schedule.calendar().version();
        timers::put_clocks(&mut tx, story.case.id, &story.case.clocks, version).await?;
        timers::put_timers(&mut tx, story.case.id, &ahead).await?;
    }
    tx.commit().await?;
    Ok(())
}

/// Conversations that wait for a person.
async fn conversations_of(app: &App) -> Result<(), AppError> {
    let talks = [
        ("演示·示例食品有限公司", "你好，我们食品经营许可证快到期了，系统一直提交不上去，想找人问一下", "asked", 6),
        ("演示·示例物流有限公司", "车队进园区要绕行，能不能帮忙协调一下通行时间", "unclear", 14),
        ("演示·示例电子有限公司", "上次说三天内有人联系我们，到现在没有消息", "unsolved", 23),
    ];
    for (name, words, reason, minutes) in talks {
        let new = visitors::NewSession { name: Some(name.to_owned()), ..visitors::NewSession::default() };
        let started = visitors::start(app, &new).await?;
        let now = case_save::now_ms(app);
        let at = (now - SignedDuration::from_mins(minutes)).as_millisecond();
        let mut tx = app.db.write().await?;
        let Some(mut row) = conversations::find(&mut tx, started.conversation).await? else { continue };
        let message = |seq: i64, sender: &str, kind: &str, text: &str| MessageRow {
            conversation_id: row.id.clone(),
            seq,
            id: app.ids.uuid(now).to_string(),
            client_id: None,
            reply_to: None,
            sender: sender.to_owned(),
            kind: kind.to_owned(),
            text: text.to_owned(),
            body: None,
            officer_id: None,
            rule_id: None,
            decision: None,
            at,
        };
        let messages = [
            message(row.seq + 1, "visitor", "text", words),
            message(row.seq + 2, "system", "event", "已为您排队转人工，工作人员会在这里回复您"),
        ];
        conversations::insert_messages(&mut tx, &messages).await?;
        row.seq += 2;
        "queued".clone_into(&mut row.state);
        row.handoff_reason = Some(reason.to_owned());
        row.handoff_note = Some("演示会话".to_owned());
        row.last_text = words.chars().take(80).collect();
        row.queued_at = Some(at);
        row.visitor_at = Some(at);
        row.changed_at = at;
        conversations::save(&mut tx, std::slice::from_ref(&row)).await?;
        tx.commit().await?;
    }
    Ok(())
}
