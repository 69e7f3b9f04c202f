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
