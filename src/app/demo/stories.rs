//! The stories of the demonstration: who wants what, and how far it has come.

use jiff::{SignedDuration, Timestamp, civil::Date};

use super::Cast;
use crate::{
    app::{App, case_save::Setting},
    domain::{
        case::{
            ActionInput, Actor, Case, CaseEvent, CaseNumber, CaseParty, Conclusion, ContactMethod, ContactOutcome,
            MilestoneInput, NewCase, PauseReason, QueryCode, ReplyRefusal, ReturnReason, TransferWay, register,
        },
        ids::CaseId,
        kinds::{CaseType, Channel, Complexity, Diversion, Urgency},
    },
};

/// A case with its history, as told.
pub(super) struct Told {
    pub(super) case: Case,
    pub(super) events: Vec<CaseEvent>,
}

/// How far a case has come, and when it began.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Plot {
    JustSubmitted,
    WaitingForAcceptance,
    NeedInfo,
    Refused,
    Accepted,
    OnSpotClosed,
    OnSpotOpen,
    Disputed,
    Dispatched,
    DispatchedLate,
    ReturnAsked,
    Signed,
    Fresh,
    DueSoon,
    Overdue,
    OverdueSupervised,
    PausedForMaterial,
    PausedForProcedure,
    ExtensionAsked,
    Extended,
    AssistAsked,
    WaitingForSignature,
    SignatureUrgent,
    Replied,
    AwaitingConfirm,
    Plan,
    Recheck,
    Rectifying,
    ClosingReview,
    ClosedGood,
    ClosedUnsolvable,
    Reopened,
    Withdrawn,
    ReplyRefused,
    TransferredOut,
}

struct Spec {
    plot: Plot,
    kind: CaseType,
    topic: &'static str,
    urgency: Urgency,
    channel: Channel,
    lead: &'static str,
    assist: Option<&'static str>,
    enterprise: &'static str,
    title: &'static str,
    words: &'static str,
}

const fn spec(
    plot: Plot,
    kind: CaseType,
    topic: &'static str,
    lead: &'static str,
    enterprise: &'static str,
    title: &'static str,
    words: &'static str,
) -> Spec {
    Spec {
        plot,
        kind,
        topic,
        urgency: Urgency::Normal,
        channel: Channel::Web,
        lead,
        assist: None,
        enterprise,
        title,
        words,
    }
}

impl Spec {
    const fn urgent(mut self) -> Self {
        self.urgency = Urgency::Urgent;
        self
    }

    const fn by(mut self, channel: Channel) -> Self {
        self.channel = channel;
        self
    }

    const fn with(mut self, assist: &'static str) -> Self {
        self.assist = Some(assist);
        self
    }
}

const SPECS: &[Spec] = &[
    spec(
        Plot::JustSubmitted,
        CaseType::Help,
        "POWER",
        "gdgs",
        "示例铸造有限公司",
        "车间连续两天跳闸停产",
        "车间这两天老是跳闸，订单赶不出来，麻烦快点派人看看",
    )
    .urgent(),
    spec(
        Plot::JustSubmitted,
        CaseType::Consultation,
        "POLICY.PAY",
        "gxj",
        "示例精密机械有限公司",
        "技改奖补什么时候兑现",
        "去年申报的技改奖补公示过了，钱什么时候能到账",
    ),
    spec(
        Plot::WaitingForAcceptance,
        CaseType::Coordination,
        "REALTY",
        "zrzy",
        "示例包装有限公司",
        "厂房不动产证办不下来",
        "厂房建成两年了，不动产登记一直卡在规划核实",
    )
    .by(Channel::Phone),
    spec(
        Plot::NeedInfo,
        CaseType::Coordination,
        "EIA",
        "hbj",
        "示例新材料有限公司",
        "环评批复迟迟没有结果",
        "扩建项目环评报上去一个多月没有消息",
    ),
    spec(
        Plot::Refused,
        CaseType::Complaint,
        "CONTRACT",
        "scj",
        "示例商贸有限公司",
        "合同纠纷已在法院审理",
        "对方不履行合同，我们已经起诉了，希望政府再催一下",
    ),
    spec(
        Plot::Accepted,
        CaseType::Coordination,
        "LABOUR.RECRUIT",
        "rsj",
        "示例服装有限公司",
        "旺季缺工两百人",
        "旺季招不到人，能不能组织一场专场招聘",
    ),
    spec(
        Plot::OnSpotClosed,
        CaseType::Consultation,
        "REG.CHANGE",
        "scj",
        "示例咨询服务有限公司",
        "变更经营范围要什么材料",
        "公司要变更经营范围，要带什么材料",
    ),
    spec(
        Plot::OnSpotOpen,
        CaseType::Consultation,
        "TAX.INVOICE",
        "swj",
        "示例建材经营部",
        "发票额度怎么调高",
        "开票额度不够用，怎么申请调高",
    ),
    spec(
        Plot::Disputed,
        CaseType::Stuck,
        "PARK",
        "zjj",
        "示例冷链有限公司",
        "园区雨水管网没有单位管",
        "园区雨水管网堵了，住建说归园区，园区说归住建，跑了四趟",
    )
    .by(Channel::StuckWindow),
    spec(
        Plot::Dispatched,
        CaseType::Coordination,
        "FIRE.ACCEPT",
        "zjj",
        "示例仓储有限公司",
        "消防验收约不上时间",
        "仓库建好了，消防验收一直约不上",
    )
    .with("xfj"),
    spec(
        Plot::DispatchedLate,
        CaseType::Help,
        "FINANCE.LOAN",
        "jrb",
        "示例农产品有限公司",
        "续贷遇到困难",
        "贷款月底到期，银行说要先还再贷，资金周转不过来",
    ),
    spec(
        Plot::ReturnAsked,
        CaseType::Coordination,
        "BUILD.PERMIT",
        "zrzy",
        "示例家居有限公司",
        "施工许可卡在用地手续",
        "施工许可一直批不下来，说是用地手续不全",
    ),
    spec(
        Plot::Signed,
        CaseType::Complaint,
        "INSPECT",
        "scj",
        "示例食品加工有限公司",
        "一个月内多头重复检查",
        "一个月来了五拨检查，内容都差不多，影响生产",
    ),
    spec(
        Plot::Fresh,
        CaseType::Coordination,
        "LAND.NEW",
        "zrzy",
        "示例光电有限公司",
        "二期用地指标没有落实",
        "二期项目签约一年了，用地指标一直没有落实",
    ),
    spec(
        Plot::DueSoon,
        CaseType::Coordination,
        "POWER",
        "gdgs",
        "示例塑业有限公司",
        "增容申请进度慢",
        "变压器增容申请报了三周还没有方案",
    ),
    spec(
        Plot::DueSoon,
        CaseType::Suggestion,
        "LOGI",
        "zjj",
        "示例物流有限公司",
        "建议园区路口加装信号灯",
        "园区东门货车多，建议加装信号灯和人行横道",
    ),
    spec(
        Plot::Overdue,
        CaseType::Coordination,
        "SOCIAL.REG",
        "rsj",
        "示例人力资源有限公司",
        "社保跨县转移办不了",
        "员工社保跨县转移，两边都说材料不全",
    ),
    spec(
        Plot::OverdueSupervised,
        CaseType::Complaint,
        "FEE",
        "scj",
        "示例水产有限公司",
        "中介收费明码标价不一致",
        "检测机构收的钱比公示的高一倍，要求退费",
    ),
    spec(
        Plot::PausedForMaterial,
        CaseType::Coordination,
        "POLICY.APPLY",
        "gxj",
        "示例智能装备有限公司",
        "专精特新申报材料退回",
        "专精特新申报被退回，说材料不齐，不知道差什么",
    ),
    spec(
        Plot::PausedForProcedure,
        CaseType::Coordination,
        "FIRE.ACCEPT",
        "zjj",
        "示例纺织有限公司",
        "消防检测待出报告",
        "验收时要求重做喷淋检测，等着开业",
    ),
    spec(
        Plot::ExtensionAsked,
        CaseType::Coordination,
        "REALTY",
        "zrzy",
        "示例陶瓷有限公司",
        "历史遗留用地补办手续",
        "厂区有一块老地没有手续，想补办",
    ),
    spec(
        Plot::Extended,
        CaseType::Coordination,
        "EIA",
        "hbj",
        "示例化工有限公司",
        "排污许可变更",
        "产能调整后排污许可要变更，平台一直退回",
    ),
    spec(
        Plot::AssistAsked,
        CaseType::Coordination,
        "FIRE.OPEN",
        "zjj",
        "示例商业管理有限公司",
        "商场开业前检查要跑两个单位",
        "开业前检查住建和消防都要看，能不能一起来",
    )
    .with("xfj"),
    spec(
        Plot::WaitingForSignature,
        CaseType::Coordination,
        "TALENT.IN",
        "rsj",
        "示例软件有限公司",
        "人才落户补贴没有到账",
        "引进的两名硕士落户补贴半年没到账",
    ),
    spec(
        Plot::SignatureUrgent,
        CaseType::Consultation,
        "TAX.REFUND",
        "swj",
        "示例外贸有限公司",
        "出口退税多久到账",
        "出口退税申报二十天了，什么时候能到账",
    ),
    spec(
        Plot::Replied,
        CaseType::Coordination,
        "WATER",
        "zjj",
        "示例酒店管理有限公司",
        "自来水压力不足",
        "酒店高层水压不够，客人投诉很多",
    ),
    spec(
        Plot::AwaitingConfirm,
        CaseType::Coordination,
        "POWER",
        "gdgs",
        "示例机械配件有限公司",
        "电费账单异常",
        "上个月电费突然多了三成，想核对",
    ),
    spec(
        Plot::AwaitingConfirm,
        CaseType::Help,
        "LABOUR.SUBSIDY",
        "rsj",
        "示例电子元件有限公司",
        "稳岗返还没有收到",
        "稳岗返还名单里有我们，但是钱没有收到",
    ),
    spec(
        Plot::Plan,
        CaseType::Coordination,
        "GAS",
        "zjj",
        "示例玻璃有限公司",
        "园区燃气管道没有通到厂区",
        "燃气管道离厂区只有三百米，一直不通",
    ),
    spec(
        Plot::Recheck,
        CaseType::Complaint,
        "PENALTY",
        "scj",
        "示例超市有限公司",
        "处罚告知不清楚",
        "处罚说得不清楚，申请信用修复也没有人回",
    ),
    spec(
        Plot::Rectifying,
        CaseType::Stuck,
        "REG.CANCEL",
        "scj",
        "示例贸易商行",
        "注销跑了五趟没有办成",
        "公司注销跑了五趟，每次都说少一样",
    )
    .by(Channel::StuckWindow),
    spec(
        Plot::ClosingReview,
        CaseType::Coordination,
        "NET",
        "gxj",
        "示例数据服务有限公司",
        "专线施工进场受阻",
        "光纤专线施工队进不了园区",
    ),
    spec(
        Plot::ClosedGood,
        CaseType::Coordination,
        "LICENCE.FOOD",
        "scj",
        "示例餐饮管理有限公司",
        "食品经营许可加急办理",
        "门店等着开业，食品经营许可能不能加急",
    ),
    spec(
        Plot::ClosedUnsolvable,
        CaseType::Coordination,
        "LAND.NEW",
        "zrzy",
        "示例矿业有限公司",
        "生态红线内扩建",
        "厂区旁边的地想扩建，说在生态红线内",
    ),
    spec(
        Plot::Reopened,
        CaseType::Help,
        "LOGI",
        "zjj",
        "示例运输有限公司",
        "园区道路破损",
        "园区主路坑洼，车辆经常爆胎，上次说修了又坏了",
    ),
    spec(
        Plot::Withdrawn,
        CaseType::Consultation,
        "POLICY.FREE",
        "gxj",
        "示例工艺品有限公司",
        "免申即享怎么查",
        "听说有免申即享的政策，怎么查我们有没有",
    ),
    spec(
        Plot::ReplyRefused,
        CaseType::Coordination,
        "PROC",
        "czj",
        "示例办公设备有限公司",
        "采购保证金退还",
        "政府采购保证金三个月没有退",
    ),
    spec(
        Plot::TransferredOut,
        CaseType::Coordination,
        "OVERSEAS",
        "swj",
        "示例进出口有限公司",
        "外地海关查验",
        "货在外省港口被查验，希望协调",
    ),
    spec(
        Plot::Overdue,
        CaseType::Conduct,
        "CONDUCT",
        "zfb",
        "示例装饰工程有限公司",
        "反映工作人员刁难",
        "窗口工作人员反复要求补材料，还暗示找人代办",
    ),
];

/// Tells all stories. One that the rules of the field stop on its way ends where it was stopped.
pub(super) fn tell(app: &App, cast: &Cast, now: Timestamp) -> Vec<Told> {
    let mut told = Vec::new();
    for (n, spec) in SPECS.iter().enumerate() {
        let mut teller = Teller { app, cast, now, at: now, spec, n, told: None };
        teller.play();
        told.extend(teller.told);
    }
    told.sort_by_key(|story| story.case.submitted_at);
    told
}

struct Teller<'a> {
    app: &'a App,
    cast: &'a Cast,
    now: Timestamp,
    at: Timestamp,
    spec: &'a Spec,
    n: usize,
    told: Option<Told>,
}

impl Teller<'_> {
    /// The date so many working days before today.
    fn day(&self, back: u32) -> Date {
        let content = self.app.content.load();
        let calendar = content.schedule.calendar();
        let mut day = content.schedule.civil(self.now).date();
        let mut left = back;
        for _ in 0..400 {
            if left == 0 && (back == 0 || calendar.day(day).working) {
                break;
            }
            day = day.yesterday().unwrap_or(day);
            if calendar.day(day).working {
                left = left.saturating_sub(1);
            }
        }
        day
    }

    /// Moves the story to a time of a working day, never back and never into the future.
    fn time(&mut self, back: u32, hour: i8, minute: i8) -> &mut Self {
        let zone = self.app.content.load().schedule.zone().clone();
        let wanted = zone.to_timestamp(self.day(back).at(hour, minute, 0, 0)).unwrap_or(self.now);
        let earliest = match &self.told {
            Some(_) => self.at + SignedDuration::from_mins(4),
            None => wanted,
        };
        let at = wanted.max(earliest).min(self.now);
        self.at = Timestamp::from_millisecond(at.as_millisecond()).unwrap_or(at);
        self
    }

    fn login(&self, role: &str) -> String {
        if self.spec.lead == "zjj" { role.to_owned() } else { format!("{role}-{}", self.spec.lead) }
    }

    fn begin(&mut self, back: u32, hour: i8) {
        self.time(back, hour, (self.n * 7 % 50) as i8);
        let spec = self.spec;
        let mut code = [0; QueryCode::RANDOM_BYTES];
        self.app.ids.fill(&mut code);
        let conduct = spec.kind == CaseType::Conduct;
        let phone = format!("1380000{:04}", self.n);
        let new = NewCase {
            id: CaseId::from_uuid(self.app.ids.uuid(self.at)),
            number: CaseNumber::new(self.day(back), 9_000 + self.n as u32),
            query_code: QueryCode::from_random(&code),
            case_type: spec.kind,
            topic: Some(spec.topic.to_owned()),
            urgency: spec.urgency,
            channel: spec.channel,
            region: self.app.config.region.code.clone(),
            title: format!("【演示】{}", spec.title),
            original_words: spec.words.to_owned(),
            demand: spec.words.to_owned(),
            place: Some("示例县工业园区".to_owned()),
            happened_on: None,
            amount: None,
            object: conduct.then(|| "窗口工作人员".to_owned()),
            party: CaseParty {
                enterprise: format!("{}（演示）", spec.enterprise),
                contact_name: "演示联系人".to_owned(),
                contact_phone: phone,
                confidential: conduct,
                ..CaseParty::default()
            },
            recused: Vec::new(),
            conversation: None,
            proposed_lead: Some(spec.lead.to_owned()),
            proposed_assists: spec.assist.map(str::to_owned).into_iter().collect(),
            route_reason: "按派单表（演示）".to_owned(),
            proposal: crate::domain::case::RouteFacts::default(),
            rule_version: self.app.content.load().hash.clone(),
            answered_by_rule: None,
            leader_assigned: false,
            repeat_of: None,
            split_from: None,
        };
        let setting = Setting::new(self.app, self.at);
        match setting.run(|env| register(new, &Actor::Enterprise, env)) {
            Ok(outcome) => self.told = Some(Told { case: outcome.case, events: outcome.events }),
            Err(error) => tracing::warn!(story = spec.title, %error, "a story of the demonstration cannot begin"),
        }
    }

    fn step(&mut self, actor: &Actor, input: &ActionInput) -> &mut Self {
        let setting = Setting::new(self.app, self.at).with_tasks(self.app, input.new_tasks());
        if let Some(told) = &mut self.told {
            match setting.apply(&told.case, actor, input) {
                Ok(outcome) => {
                    told.case = outcome.case;
                    told.events.extend(outcome.events);
                }
                Err(error) => {
                    let action = input.action().as_str();
                    tracing::warn!(story = self.spec.title, action, %error, "a story of the demonstration stops");
                }
            }
        }
        self.at += SignedDuration::from_mins(3);
        self
    }

    fn by(&mut self, login: &str, input: &ActionInput) -> &mut Self {
        if let Some(actor) = self.cast.actor(login) { self.step(&actor, input) } else { self }
    }

    fn unit(&mut self, role: &str, input: &ActionInput) -> &mut Self {
        let login = self.login(role);
        self.by(&login, input)
    }

    fn centre(&self, role: &'static str) -> &'static str {
        if self.spec.kind == CaseType::Conduct { "jijian" } else { role }
    }

    fn accept(&mut self) -> &mut Self {
        let spec = self.spec;
        let input = ActionInput::Accept {
            case_type: spec.kind,
            topic: Some(spec.topic.to_owned()),
            urgency: spec.urgency,
            complexity: None,
            duplicates_checked: true,
            repeat_of: None,
            repeats: 0,
        };
        self.by(self.centre("zuoxi"), &input)
    }

    fn dispatch(&mut self) -> &mut Self {
        let spec = self.spec;
        let input = ActionInput::Dispatch {
            lead: spec.lead.to_owned(),
            assists: spec.assist.map(str::to_owned).into_iter().collect(),
            complexity: Some(Complexity::Complex),
            note: None,
        };
        self.by(self.centre("fenpai"), &input)
    }

    fn sign_in(&mut self) -> &mut Self {
        let handler = self.cast.person(&self.login("chengban"));
        let input = ActionInput::SignIn { register_no: format!("演示收〔{}〕号", self.n + 1), handler };
        // In a sealed case the registrar is the officer of discipline.
        let role = if self.spec.kind == CaseType::Conduct { "chengban" } else { "dengji" };
        self.unit(role, &input)
    }

    fn contact(&mut self) -> &mut Self {
        let input = ActionInput::RecordContact {
            method: ContactMethod::Phone,
            person: "演示联系人".to_owned(),
            outcome: ContactOutcome::Reached,
            result: "已了解情况，约定现场查看".to_owned(),
            at: None,
        };
        self.unit("chengban", &input)
    }

    /// Submitted, accepted, dispatched, signed, contacted: `back` working days ago.
    fn processing(&mut self, back: u32) -> &mut Self {
        self.begin(back, 9);
        self.accept().dispatch();
        self.time(back, 10, 40).sign_in();
        self.time(back, 14, 50).contact()
    }

    fn progress(&mut self, text: &str) -> &mut Self {
        self.unit("chengban", &ActionInput::RecordProgress { text: text.to_owned(), public: true })
    }

    fn draft(&mut self) -> &mut Self {
        let conclusion = match self.spec.kind {
            CaseType::Consultation => Conclusion::Answered,
            CaseType::Suggestion => Conclusion::Adopted,
            CaseType::Coordination
            | CaseType::Help
            | CaseType::Complaint
            | CaseType::Report
            | CaseType::Stuck
            | CaseType::Arrears
            | CaseType::Conduct
            | CaseType::Risk
            | CaseType::Praise
            | CaseType::RatingReview
            | CaseType::ServiceOrder => Conclusion::Solved,
        };
        let input = ActionInput::DraftReply {
            text: format!("（演示答复）关于“{}”：已到现场核实并办理，结果如下，请查收。", self.spec.title),
            conclusion,
            from_bot: false,
        };
        self.unit("chengban", &input)
    }

    fn replied(&mut self, back: u32) -> &mut Self {
        self.processing(back);
        self.time(back.saturating_sub(2), 10, 0).draft();
        self.time(back.saturating_sub(2), 15, 30).unit("fenguan", &ActionInput::SignOff)
    }

    fn released(&mut self, back: u32) -> &mut Self {
        self.replied(back);
        self.time(back.saturating_sub(3), 9, 30).by("hecha", &ActionInput::ReleaseReply { note: None })
    }

    fn play(&mut self) {
        let enterprise = Actor::Enterprise;
        match self.spec.plot {
            Plot::JustSubmitted => {
                self.at = self.now;
                self.begin(0, 23);
            }
            Plot::WaitingForAcceptance => self.begin(1, 16),
            Plot::NeedInfo => {
                self.begin(3, 9);
                let items = vec!["项目备案证".to_owned(), "环评报告公示截图".to_owned()];
                self.by("zuoxi", &ActionInput::RequestInfo { items });
            }
            Plot::Refused => {
                self.begin(4, 10);
                let path = "该事项已在诉讼程序中，请向受理法院了解进展；经济困难可申请法律援助".to_owned();
                self.by("zuoxi", &ActionInput::Refuse { code: Diversion::D2, path });
            }
            Plot::Accepted => {
                self.begin(1, 15);
                self.accept();
            }
            Plot::OnSpotClosed | Plot::OnSpotOpen => {
                self.begin(1, 10);
                let text =
                    "请携带营业执照、申请书和决议到政务服务中心二楼窗口，或在网上办理，当场办结（演示）".to_owned();
                self.by("zuoxi", &ActionInput::AnswerOnSpot { text, source: "办事指南（演示）".to_owned() });
                if self.spec.plot == Plot::OnSpotClosed {
                    let rate = ActionInput::Rate { grade: 5, solved: Some(true), reason: None, words: None };
                    self.step(&enterprise, &rate);
                }
            }
            Plot::Disputed => {
                self.begin(2, 9);
                let input = ActionInput::MarkOwnershipPending {
                    candidates: vec!["zjj".to_owned(), "yqgwh".to_owned()],
                    reason: "两家单位均认为不属本单位职责".to_owned(),
                };
                self.accept().by("fenpai", &input);
            }
            Plot::Dispatched => {
                self.begin(0, 8);
                self.accept().dispatch();
            }
            Plot::DispatchedLate => {
                self.begin(1, 9);
                self.accept().dispatch();
            }
            Plot::ReturnAsked => {
                self.begin(1, 14);
                self.accept().dispatch();
                let input = ActionInput::RequestReturn {
                    reason: ReturnReason::NotOurDuty,
                    basis: "施工许可属住建部门职责（建筑法第七条）".to_owned(),
                    proposed_unit: "zjj".to_owned(),
                };
                self.unit("fenguan", &input);
            }
            Plot::Signed => {
                self.begin(1, 14);
                self.accept().dispatch().sign_in();
            }
            Plot::Fresh => {
                self.processing(3).progress("已与国土空间规划比对，正在核对指标来源");
            }
            Plot::DueSoon => {
                let back = if self.spec.kind == CaseType::Suggestion { 4 } else { 9 };
                self.processing(back);
                self.time(2, 10, 0).progress("方案已会审，正在征求意见");
                self.step(&enterprise, &ActionInput::Urge { words: Some("请尽快".to_owned()) });
            }
            Plot::Overdue => {
                self.processing(12);
                self.time(5, 10, 0).progress("正在与有关单位对接");
            }
            Plot::OverdueSupervised => {
                self.processing(14);
                let letter = "演示督办单：请两个工作日内书面回复进展".to_owned();
                self.time(1, 9, 0).by("duban", &ActionInput::Supervise { level: 4, letter });
            }
            Plot::PausedForMaterial => {
                self.processing(5);
                let pause = |explanation: &str| ActionInput::Pause {
                    reason: PauseReason::P1,
                    explanation: explanation.to_owned(),
                    document: None,
                    until_on: None,
                };
                self.time(2, 9, 0).unit("chengban", &pause("近两年审计报告、研发费用明细（一次列全）"));
                self.time(2, 10, 0).by("fenpai", &pause(""));
            }
            Plot::PausedForProcedure => {
                self.processing(6);
                let until_on = self.day(0).checked_add(jiff::Span::new().days(12)).ok();
                let input = ActionInput::Pause {
                    reason: PauseReason::P2,
                    explanation: "喷淋系统检测，检测机构出具报告前暂停".to_owned(),
                    document: Some("检测委托书（演示）".to_owned()),
                    until_on,
                };
                self.time(3, 9, 0).unit("fenguan", &input);
            }
            Plot::ExtensionAsked | Plot::Extended => {
                self.processing(if self.spec.plot == Plot::Extended { 8 } else { 7 });
                let reason =
                    "须调取一九九八年征地原始档案并由村集体、镇政府和本局三方确认权属界线，档案馆预计五个工作日后提供"
                        .to_owned();
                let back = if self.spec.plot == Plot::Extended { 2 } else { 0 };
                self.time(back, 9, 0).unit("fenguan", &ActionInput::RequestExtension { days: 5, reason });
                if self.spec.plot == Plot::Extended {
                    self.by("fenpai", &ActionInput::GrantExtension { days: None });
                }
            }
            Plot::AssistAsked => {
                self.processing(4);
                let input = ActionInput::AskAssist {
                    unit: self.spec.assist.unwrap_or("xfj").to_owned(),
                    question: "开业前检查可否与验收同日进行".to_owned(),
                    due_on: None,
                };
                self.time(3, 9, 0).unit("chengban", &input);
            }
            Plot::WaitingForSignature => {
                self.processing(5);
                self.time(1, 15, 0).draft();
            }
            Plot::SignatureUrgent => {
                self.processing(2);
                self.time(1, 16, 0).draft();
            }
            Plot::Replied => {
                self.replied(4);
            }
            Plot::AwaitingConfirm => {
                self.released(6);
            }
            Plot::Plan => {
                self.released(8);
                let due = |days: i32| self.day(0).checked_add(jiff::Span::new().days(days)).unwrap_or(self.day(0));
                let milestones = vec![
                    MilestoneInput { text: "完成管道设计和路由审批".to_owned(), due_on: due(20) },
                    MilestoneInput { text: "管道通气".to_owned(), due_on: due(75) },
                ];
                self.step(&enterprise, &ActionInput::AcceptPlan { milestones });
            }
            Plot::Recheck | Plot::Rectifying => {
                self.released(7);
                let rate = ActionInput::Rate {
                    grade: 2,
                    solved: Some(false),
                    reason: Some("没有解决".to_owned()),
                    words: Some("还是没有说清楚要怎么办".to_owned()),
                };
                self.time(2, 9, 0).step(&enterprise, &rate);
                if self.spec.plot == Plot::Rectifying {
                    let input = ActionInput::UpholdRating {
                        facts: "未一次性告知材料清单，反映属实".to_owned(),
                        rectify: "书面一次性告知并指定专人帮办".to_owned(),
                    };
                    self.time(1, 10, 0).by("duban", &input);
                }
            }
            Plot::ClosingReview => {
                self.processing(6);
                let input = ActionInput::RequestClose {
                    conclusion: Conclusion::Solved,
                    basis: None,
                    coordination_log: None,
                    explanation: None,
                    summary: "施工队已进场，专线当日接通（演示）".to_owned(),
                };
                self.time(1, 10, 0).unit("fenguan", &input);
                self.step(&enterprise, &ActionInput::Confirm { solved: true, words: None, call_record: None });
            }
            Plot::ClosedGood => {
                self.released(9);
                let rate = ActionInput::Rate {
                    grade: 5,
                    solved: Some(true),
                    reason: None,
                    words: Some("办得很快".to_owned()),
                };
                self.time(4, 10, 0).step(&enterprise, &rate);
            }
            Plot::ClosedUnsolvable => {
                self.processing(9);
                let input = ActionInput::RequestClose {
                    conclusion: Conclusion::CannotBeSolved,
                    basis: Some("生态保护红线管控规定".to_owned()),
                    coordination_log: Some("两次会同自然资源、生态环境部门现场核实（演示）".to_owned()),
                    explanation: Some("已当面说明，并推荐园区外备选地块（演示）".to_owned()),
                    summary: "与法规不符，经充分协调确实难以解决".to_owned(),
                };
                self.time(5, 10, 0).unit("fenguan", &input);
                let approve = ActionInput::ApproveClose { resolved_layer: "centre".to_owned(), note: None };
                self.time(4, 10, 0).by("hecha", &approve);
            }
            Plot::Reopened => {
                self.released(12);
                let rate = ActionInput::Rate { grade: 4, solved: Some(true), reason: None, words: None };
                self.time(8, 10, 0).step(&enterprise, &rate);
                let reason = "修过的路面又坏了".to_owned();
                self.time(1, 10, 0).step(&enterprise, &ActionInput::Reopen { reason });
            }
            Plot::Withdrawn => {
                self.begin(3, 10);
                self.step(&enterprise, &ActionInput::Withdraw { reason: "已经查到了".to_owned() });
            }
            Plot::ReplyRefused => {
                self.replied(11);
                let input = ActionInput::RefuseReply {
                    reason: ReplyRefusal::BesidesThePoint,
                    comment: "只说明了制度，没有答复退还时间".to_owned(),
                };
                self.time(8, 9, 0).by("hecha", &input);
            }
            Plot::TransferredOut => {
                self.begin(2, 10);
                let input = ActionInput::TransferOut {
                    to: "外省海关（演示）".to_owned(),
                    receipt: "演示转办1号".to_owned(),
                    reason: "不属本级管辖".to_owned(),
                    way: TransferWay::External,
                };
                self.accept().by("fenpai", &input);
            }
        }
    }
}
