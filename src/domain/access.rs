//! Roles and permissions: who may do what to which case (DOMAIN 8).

use crate::vocabulary;

vocabulary! {
    /// A role of the staff; an officer may hold several, each in one unit.
    Role {
        FrontDesk = "front_desk", "坐席";
        Dispatcher = "dispatcher", "中心分派";
        Verifier = "verifier", "核实回访";
        UnitClerk = "unit_clerk", "单位登记员";
        Handler = "handler", "承办人";
        UnitLeader = "unit_leader", "分管负责人";
        Supervisor = "supervisor", "督办";
        Leader = "leader", "领导";
        Discipline = "discipline", "纪检作风";
        RuleEditor = "rule_editor", "规则编辑";
        RulePublisher = "rule_publisher", "规则发布";
        Admin = "admin", "系统管理员";
        Auditor = "auditor", "审计员";
    }
}

vocabulary! {
    /// What a route, a page or a command asks for. Rights on one case come from the table of transitions and from
    /// [`CaseScope`], not from here.
    Permission {
        Converse = "converse", "接待会话";
        FileCase = "file_case", "代为提交诉求";
        ViewCases = "view_cases", "查看诉求件";
        ActOnCases = "act_on_cases", "办理诉求件";
        ExportCases = "export_cases", "导出诉求件";
        ViewReports = "view_reports", "查看报表";
        ViewRules = "view_rules", "查看规则";
        EditRules = "edit_rules", "编辑规则";
        PublishRules = "publish_rules", "发布规则";
        ManageUnits = "manage_units", "管理单位";
        ManageUsers = "manage_users", "管理账号";
        ManageTokens = "manage_tokens", "管理接口令牌";
        ManageCalendars = "manage_calendars", "管理日历";
        ManageChannels = "manage_channels", "管理渠道";
        ViewHealth = "view_health", "查看运行状态";
        ViewModel = "view_model", "查看模型使用";
        ManageModel = "manage_model", "启停模型";
        ViewAudit = "view_audit", "查看审计";
        FollowEvents = "follow_events", "接收台面消息";
    }
}

impl Role {
    /// What the role may use. An administrator runs the system and does not read cases; an auditor reads and
    /// never writes.
    pub const fn permissions(self) -> &'static [Permission] {
        use Permission as P;
        match self {
            Self::FrontDesk => {
                &[P::Converse, P::FileCase, P::ViewCases, P::ActOnCases, P::ViewRules, P::ViewReports, P::FollowEvents]
            }
            Self::Dispatcher => &[
                P::Converse,
                P::FileCase,
                P::ViewCases,
                P::ActOnCases,
                P::ExportCases,
                P::ViewReports,
                P::ViewRules,
                P::FollowEvents,
            ],
            Self::Verifier | Self::Supervisor => {
                &[P::ViewCases, P::ActOnCases, P::ExportCases, P::ViewReports, P::ViewRules, P::FollowEvents]
            }
            Self::UnitClerk | Self::Handler | Self::UnitLeader => {
                &[P::ViewCases, P::ActOnCases, P::ViewReports, P::ViewRules, P::FollowEvents]
            }
            Self::Leader => &[P::ViewCases, P::ActOnCases, P::ViewReports, P::FollowEvents],
            Self::Discipline => &[P::ViewCases, P::ActOnCases, P::FollowEvents],
            Self::RuleEditor => &[P::ViewRules, P::EditRules, P::FollowEvents],
            Self::RulePublisher => &[P::ViewRules, P::PublishRules, P::FollowEvents],
            Self::Admin => &[
                P::ManageUnits,
                P::ManageUsers,
                P::ManageTokens,
                P::ManageCalendars,
                P::ManageChannels,
                P::ViewRules,
                P::ViewHealth,
                P::ViewModel,
                P::ManageModel,
                P::FollowEvents,
            ],
            Self::Auditor => {
                &[P::ViewCases, P::ExportCases, P::ViewReports, P::ViewRules, P::ViewAudit, P::ViewHealth, P::ViewModel]
            }
        }
    }

    /// Whether the role works at the centre, for all units.
    pub const fn is_central(self) -> bool {
        matches!(
            self,
            Self::FrontDesk | Self::Dispatcher | Self::Verifier | Self::Supervisor | Self::Leader | Self::Auditor
        )
    }

    /// Whether the role works within one unit.
    pub const fn is_of_unit(self) -> bool {
        matches!(self, Self::UnitClerk | Self::Handler | Self::UnitLeader)
    }
}

/// Whether any of the roles grants the permission.
pub fn grants(roles: &[Role], permission: Permission) -> bool {
    roles.iter().any(|role| role.permissions().contains(&permission))
}

/// Which cases an officer may see. The store turns it into SQL, so that lists, searches, counts and single
/// cases obey the same rule.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CaseScope {
    /// Every case that is not sealed.
    pub all: bool,
    /// Cases led or assisted by these units (the officer's unit and those below it).
    pub units: Vec<String>,
    /// Sealed conduct cases.
    pub sealed: bool,
    /// The units the officer belongs to: cases in which one of them is recused stay hidden.
    pub own_units: Vec<String>,
    /// How to reach people is shown in full; who only looks (领导) has no business with it (DOMAIN 8).
    pub contacts: bool,
}

impl CaseScope {
    /// The scope of an officer with these roles; `subtree` names a unit and every unit below it.
    pub fn new(roles: &[(Role, String)], subtree: &dyn Fn(&str) -> Vec<String>) -> Self {
        let mut scope = Self::default();
        for (role, unit) in roles {
            scope.all |= role.is_central();
            scope.sealed |= *role == Role::Discipline;
            scope.contacts |= *role != Role::Leader;
            if unit.is_empty() {
                continue;
            }
            if !scope.own_units.contains(unit) {
                scope.own_units.push(unit.clone());
            }
            if role.is_of_unit() {
                for below in subtree(unit) {
                    if !scope.units.contains(&below) {
                        scope.units.push(below);
                    }
                }
            }
        }
        scope
    }

    /// The scope of jobs and of the command line on the server itself.
    pub fn unrestricted() -> Self {
        Self { all: true, units: Vec::new(), sealed: true, own_units: Vec::new(), contacts: true }
    }

    /// Whether a case is visible.
    pub fn sees(&self, case: &crate::domain::case::Case) -> bool {
        if case.recused.iter().any(|unit| self.own_units.contains(unit)) {
            return false;
        }
        if case.sealed {
            return self.sealed;
        }
        let ours = |unit: &String| self.units.contains(unit);
        self.all || case.lead_unit.as_ref().is_some_and(ours) || case.assists.iter().any(ours)
    }

    /// Whether the complainant's name and phone may be shown: never to units when the identity is confidential.
    pub fn sees_identity(&self, case: &crate::domain::case::Case) -> bool {
        self.sees(case) && (!case.party.confidential || self.all || (case.sealed && self.sealed))
    }
}
