//! What the desk's templates show. Plain texts only: every word is decided before it reaches a template.

use askama::Template;

use super::forms::ActionForm;
use crate::web::{
    admin::Finding,
    site::Site,
    view::{Choice, DueView, StageStep, Tag},
};

/// Who is at the desk.
#[derive(Debug, Clone, Default)]
pub struct DeskView {
    /// Id of the account.
    pub officer_id: String,
    /// Name.
    pub name: String,
    /// Unit in words; empty for the centre.
    pub unit: String,
    /// Roles in words.
    pub roles: String,
    /// Token for unsafe requests.
    pub csrf: String,
    /// Whether the account administrates.
    pub admin: bool,
    /// Whether deputies concern the officer.
    pub deputies: bool,
    /// Notices not read.
    pub unread: i64,
}

/// A tab above the list.
#[derive(Debug, Clone)]
pub struct TabView {
    /// Key in the address.
    pub key: &'static str,
    /// Word.
    pub label: &'static str,
    /// How many; “99+” at most.
    pub count: String,
    /// Whether it is open.
    pub current: bool,
}

/// What stands where nothing is.
#[derive(Debug, Clone, Default)]
pub struct EmptyView {
    /// Icon.
    pub icon: &'static str,
    /// What is so.
    pub title: &'static str,
    /// What to do next.
    pub detail: &'static str,
}

/// One row of the list.
#[derive(Debug, Clone, Default)]
pub struct ItemView {
    /// Where it leads.
    pub href: String,
    /// Which row it is, across refreshes.
    pub key: String,
    /// First line.
    pub title: String,
    /// Enterprise or visitor.
    pub who: String,
    /// Type and topic.
    pub kind: String,
    /// State in words.
    pub state: String,
    /// Unit that has it.
    pub unit: String,
    /// What is due next.
    pub due: DueView,
    /// Marks.
    pub tags: Vec<Tag>,
    /// Why it is here.
    pub why: String,
    /// Whether it is open beside the list.
    pub current: bool,
}

/// The list pane.
#[derive(Debug, Clone, Default)]
pub struct ListView {
    /// Tabs.
    pub tabs: Vec<TabView>,
    /// Key of the open tab.
    pub tab: &'static str,
    /// Whether the filters show.
    pub filtering: bool,
    /// Words searched for.
    pub query: String,
    /// States to choose from.
    pub statuses: Vec<Choice>,
    /// Types to choose from.
    pub types: Vec<Choice>,
    /// Units to choose from.
    pub units: Vec<Choice>,
    /// Only what is overdue.
    pub overdue: bool,
    /// Only those the officer handles; `None` for who handles none.
    pub mine: Option<bool>,
    /// Address of this list, for refreshing.
    pub src: String,
    /// Rows.
    pub items: Vec<ItemView>,
    /// What stands there when there are no rows.
    pub empty: EmptyView,
    /// Address of the next part; empty at the end.
    pub next: String,
}

/// A number on the first page.
#[derive(Debug, Clone)]
pub struct Tally {
    /// Where it leads.
    pub href: &'static str,
    /// How many, at most `999+`.
    pub count: String,
    /// Of what.
    pub label: &'static str,
    /// Colour class of the number.
    pub class: &'static str,
}

/// The desk with nothing open.
#[derive(Debug, Template)]
#[template(path = "desk/home.html")]
pub struct HomePage {
    /// The site.
    pub site: Site,
    /// Who is at the desk.
    pub desk: DeskView,
    /// The list.
    pub list: ListView,
    /// Greeting with the name.
    pub greeting: String,
    /// Today in words.
    pub today: String,
    /// Numbers.
    pub tallies: Vec<Tally>,
    /// How the rules stand, for who edits or publishes them.
    pub rules: Option<RulesView>,
}

/// How the rule files stand.
#[derive(Debug)]
pub struct RulesView {
    /// Beginning of the hash in force.
    pub version: String,
    /// In force since.
    pub loaded: String,
    /// Rules.
    pub rules: usize,
    /// Warnings.
    pub warnings: usize,
    /// Rules that answer and have run out or await a human re-check.
    pub recheck: usize,
    /// Why the files as they are now are not in force.
    pub errors: Vec<Finding>,
}

/// The desk with something that cannot be shown.
#[derive(Debug, Template)]
#[template(path = "desk/fault.html")]
pub struct FaultPage {
    /// The site.
    pub site: Site,
    /// Who is at the desk.
    pub desk: DeskView,
    /// The list.
    pub list: ListView,
    /// What is so.
    pub title: String,
    /// What to do.
    pub detail: String,
}

/// The desk with a conversation; its content comes from the staff API.
#[derive(Debug, Template)]
#[template(path = "desk/conversation.html")]
pub struct ConversationPage {
    /// The site.
    pub site: Site,
    /// Who is at the desk.
    pub desk: DeskView,
    /// The list.
    pub list: ListView,
    /// Id of the conversation.
    pub id: String,
}

/// A name with a value.
#[derive(Debug, Clone)]
pub struct FactView {
    /// Name.
    pub name: &'static str,
    /// Value.
    pub value: String,
}

impl FactView {
    /// Adds the fact unless its value is empty.
    pub fn push(list: &mut Vec<Self>, name: &'static str, value: impl Into<String>) {
        let value = value.into();
        if !value.trim().is_empty() {
            list.push(Self { name, value });
        }
    }
}

/// A clock of the case.
#[derive(Debug, Clone)]
pub struct ClockView {
    /// What it counts: 受理, 签收, 答复 …
    pub name: String,
    /// Who is accountable.
    pub owner: String,
    /// Its state.
    pub due: DueView,
    /// From when to when.
    pub span: String,
}

/// A line of the timeline.
#[derive(Debug, Clone)]
pub struct EventView {
    /// When.
    pub at: String,
    /// What.
    pub text: String,
    /// Who.
    pub who: String,
    /// More.
    pub detail: String,
}

/// A task of the case.
#[derive(Debug, Clone)]
pub struct TaskView {
    /// 协办, 承诺, 方案节点.
    pub kind: String,
    /// Whose.
    pub unit: String,
    /// State in words.
    pub state: String,
    /// What.
    pub text: String,
    /// Answer.
    pub answer: String,
    /// Deadline.
    pub due: DueView,
}

/// A document of the case.
#[derive(Debug, Clone)]
pub struct DocumentView {
    /// Address.
    pub href: String,
    /// File name.
    pub name: String,
    /// Size and when it came.
    pub note: String,
    /// Whether it is a picture that can be shown.
    pub picture: bool,
}

/// What a model can do beside a case.
#[derive(Debug, Clone, Default)]
pub struct AssistView {
    /// A model is configured and the case is open.
    pub shown: bool,
    /// Whether it can be asked.
    pub ready: bool,
    /// Why not.
    pub why: String,
    /// Rules could not decide type or topic.
    pub undecided: bool,
}

/// Help with a case for its officer.
#[derive(Debug, Clone, Default)]
pub struct HelpView {
    /// What it does not tell yet, in words.
    pub missing: String,
    /// Whether a reply can be drafted now, so that an answer can be put into it.
    pub can_draft: bool,
    /// Whether some reply can be written now.
    pub can_reply: bool,
    /// What a model can do here.
    pub assist: AssistView,
    /// Rule answers that are near.
    pub answers: Vec<HelpAnswer>,
    /// Finished cases like it.
    pub similar: Vec<HelpCase>,
}

/// A rule answer beside a case.
#[derive(Debug, Clone)]
pub struct HelpAnswer {
    /// Title.
    pub title: String,
    /// Text.
    pub text: String,
    /// Sources, in one line; empty if none.
    pub sources: String,
    /// Text and sources, as they go into a reply.
    pub reply: String,
    /// Meant for officers only, or not yet re-checked.
    pub caution: &'static str,
}

/// A finished case beside a case.
#[derive(Debug, Clone)]
pub struct HelpCase {
    /// Number.
    pub number: String,
    /// Title, without names.
    pub title: String,
    /// Unit, conclusion and day, in one line.
    pub note: String,
    /// How it was answered; empty if not in writing.
    pub reply: String,
}

/// Another case of the same registration.
#[derive(Debug, Clone)]
pub struct SiblingView {
    /// Number.
    pub number: String,
    /// Title.
    pub title: String,
    /// State in words.
    pub state: String,
    /// Whether it is the one shown.
    pub current: bool,
}

/// A case as the desk shows it.
#[derive(Debug, Clone, Default)]
pub struct CaseView {
    /// Number.
    pub number: String,
    /// Version, for refreshing.
    pub version: i64,
    /// Title.
    pub title: String,
    /// Marks.
    pub tags: Vec<Tag>,
    /// Stage number, 0 off the road.
    pub stage: u8,
    /// The bar.
    pub stages: Vec<StageStep>,
    /// State in words.
    pub status_label: String,
    /// Who has it.
    pub holder: String,
    /// Whether it still runs.
    pub open: bool,
    /// The clocks that run, the unit's and the legal one.
    pub main_clocks: Vec<ClockView>,
    /// All clocks.
    pub clocks: Vec<ClockView>,
    /// How long it stood still.
    pub paused_note: String,
    /// What may be done now.
    pub forms: Vec<ActionForm>,
    /// Whether some forms stand under 更多.
    pub more_forms: bool,
    /// Heading above the draft or reply.
    pub draft_title: String,
    /// Draft or signed reply.
    pub draft: String,
    /// Who wrote and signed it.
    pub draft_note: String,
    /// The enterprise's own words.
    pub original_words: String,
    /// What it wants.
    pub demand: String,
    /// Why it went where it went.
    pub route_reason: String,
    /// What else was proposed, a line each.
    pub proposal: Vec<String>,
    /// Rules that fired.
    pub rules: String,
    /// Help with it; empty when it is finished.
    pub help: HelpView,
    /// Tasks.
    pub tasks: Vec<TaskView>,
    /// What happened.
    pub timeline: Vec<EventView>,
    /// The enterprise's side.
    pub party: Vec<FactView>,
    /// The matter.
    pub facts: Vec<FactView>,
    /// Files.
    pub documents: Vec<DocumentView>,
    /// There are files that this officer may not open.
    pub withheld: bool,
    /// Cases of the same registration.
    pub siblings: Vec<SiblingView>,
    /// Id of the conversation it came from; empty if none.
    pub conversation: String,
    /// SHA-256 of what was archived; empty when it is not archived.
    pub package: String,
}

/// The desk with a case.
#[derive(Debug, Template)]
#[template(path = "desk/case.html")]
pub struct CasePage {
    /// The site.
    pub site: Site,
    /// Who is at the desk.
    pub desk: DeskView,
    /// The list.
    pub list: ListView,
    /// The case.
    pub case: CaseView,
}
