//! The table: who gets through to what.

use zhitong::domain::access::Role;

/// Who calls: from outside, one officer of each role (those of units at 住建局), and the same roles at another unit.
pub(super) const OUTSIDE: &str = "nobody visitor stranger";
pub(super) const STAFF: &[(&str, Role, &str)] = &[
    ("front_desk", Role::FrontDesk, ""),
    ("dispatcher", Role::Dispatcher, ""),
    ("verifier", Role::Verifier, ""),
    ("unit_clerk", Role::UnitClerk, "zjj"),
    ("handler", Role::Handler, "zjj"),
    ("unit_leader", Role::UnitLeader, "zjj"),
    ("supervisor", Role::Supervisor, ""),
    ("leader", Role::Leader, ""),
    ("discipline", Role::Discipline, ""),
    ("rule_editor", Role::RuleEditor, ""),
    ("rule_publisher", Role::RulePublisher, ""),
    ("admin", Role::Admin, ""),
    ("auditor", Role::Auditor, ""),
    ("foreign_clerk", Role::UnitClerk, "swj"),
    ("foreign_handler", Role::Handler, "swj"),
    ("foreign_leader", Role::UnitLeader, "swj"),
    ("foreign_desk", Role::FrontDesk, "swj"),
];

/// Officers who may look at cases at all.
pub(super) const READERS: &str = "front_desk dispatcher verifier unit_clerk handler unit_leader supervisor leader discipline auditor foreign_clerk foreign_handler foreign_leader foreign_desk";
/// Those of them who see the case of 住建局.
pub(super) const SEE_CASE: &str =
    "front_desk dispatcher verifier unit_clerk handler unit_leader supervisor leader auditor foreign_desk";
pub(super) const NOT_CASE: &str = "discipline foreign_clerk foreign_handler foreign_leader";
/// Everybody but discipline: for them the sealed case does not exist.
pub(super) const NOT_SEALED: &str = "front_desk dispatcher verifier unit_clerk handler unit_leader supervisor leader auditor foreign_clerk foreign_handler foreign_leader foreign_desk";
pub(super) const FILE: &str = "front_desk dispatcher foreign_desk";
pub(super) const FOLLOW: &str = "front_desk dispatcher verifier unit_clerk handler unit_leader supervisor leader discipline rule_editor rule_publisher admin foreign_clerk foreign_handler foreign_leader foreign_desk";

pub(super) const ALL_STAFF: &str = "front_desk dispatcher verifier unit_clerk handler unit_leader supervisor leader discipline rule_editor rule_publisher admin auditor foreign_clerk foreign_handler foreign_leader foreign_desk";

/// A file in a form, as a browser sends it.
const FORM: &str = "--matrix\r\nContent-Disposition: form-data; name=\"client_id\"\r\n\r\nf1\r\n--matrix\r\n\
    Content-Disposition: form-data; name=\"file\"; filename=\"a.pdf\"\r\nContent-Type: application/pdf\r\n\r\n\
    %PDF-1.4\n%%EOF\n\r\n--matrix--\r\n";

/// What a route answers to whom.
pub(super) struct Row {
    pub(super) route: &'static str,
    pub(super) path: &'static str,
    pub(super) body: Option<&'static str>,
    pub(super) through: Vec<&'static str>,
    pub(super) hidden: &'static str,
    pub(super) refused: Option<(u16, &'static str)>,
    pub(super) shows: Option<(&'static str, &'static str)>,
    /// The first of those let through uses it up.
    pub(super) once: bool,
    /// An officer's token is no credential here.
    pub(super) visitors_only: bool,
}

pub(super) fn row(route: &'static str, path: &'static str) -> Row {
    let body = (!route.starts_with("GET")).then_some("{}");
    Row {
        route,
        path,
        body,
        through: Vec::new(),
        hidden: "",
        refused: None,
        shows: None,
        once: false,
        visitors_only: false,
    }
}

impl Row {
    /// The body of the request.
    fn body(mut self, body: &'static str) -> Self {
        self.body = Some(body);
        self
    }

    /// Who is let through to the object.
    fn through(mut self, who: &'static str) -> Self {
        self.through = who.split_whitespace().collect();
        self
    }

    /// For whom the object does not exist: 404, as for one that is missing.
    fn hidden(mut self, who: &'static str) -> Self {
        self.hidden = who;
        self
    }

    /// Who sees the object and may not do this to it.
    fn refused(mut self, status: u16, who: &'static str) -> Self {
        self.refused = Some((status, who));
        self
    }

    /// A list in which only these of those let through find something.
    fn shows(mut self, what: &'static str, who: &'static str) -> Self {
        self.shows = Some((what, who));
        self
    }

    /// The first of those let through uses it up for the others.
    fn once(mut self) -> Self {
        self.once = true;
        self
    }

    fn public(mut self) -> Self {
        self.through = everybody().collect();
        self
    }

    fn any_officer(mut self) -> Self {
        self.through = officers().collect();
        self
    }

    fn visitors(mut self) -> Self {
        self.visitors_only = true;
        self.through("visitor stranger")
    }

    /// Whoever calls without the platform's signature to an account that is not configured: there is nothing here.
    fn signed(self) -> Self {
        self.hidden(
            "nobody visitor stranger front_desk dispatcher verifier unit_clerk handler unit_leader supervisor leader \
             discipline rule_editor rule_publisher admin auditor foreign_clerk foreign_handler foreign_leader foreign_desk",
        )
    }

    /// The status for a caller who is not let through.
    pub(super) fn refusal(&self, who: &str) -> u16 {
        if has(self.hidden, who) {
            return 404;
        }
        if let Some((status, refused)) = self.refused
            && has(refused, who)
        {
            return status;
        }
        if has(OUTSIDE, who) || self.visitors_only {
            let page = self.route.starts_with("GET /") && !self.route.starts_with("GET /api/");
            return if page && !self.route.ends_with("/metrics") { 303 } else { 401 };
        }
        403
    }
}

pub(super) fn has(list: &str, who: &str) -> bool {
    list.split_whitespace().any(|one| one == who)
}

pub(super) fn everybody() -> impl Iterator<Item = &'static str> {
    OUTSIDE.split_whitespace().chain(officers())
}

pub(super) fn officers() -> impl Iterator<Item = &'static str> {
    STAFF.iter().map(|(name, ..)| *name)
}

/// The table. What changes the objects comes last.
pub(super) fn rows() -> Vec<Row> {
    const CONVERSATION: &str = "/api/conversations/{conversation}";
    vec![
        row("GET /", "/").public(),
        row("GET /chat", "/chat").public(),
        row("GET /widget.js", "/widget.js").public(),
        row("GET /favicon.ico", "/favicon.ico").public(),
        row("GET /static/{hash}/{*path}", "{asset}").public(),
        row("GET /healthz", "/healthz").public(),
        row("GET /wechat/oa/{name}", "/wechat/oa/main").signed(),
        row("POST /wechat/oa/{name}", "/wechat/oa/main").signed(),
        row("GET /wechat/work/{name}", "/wechat/work/main").signed(),
        row("POST /wechat/work/{name}", "/wechat/work/main").signed(),
        row("GET /wechat/kf/{name}", "/wechat/kf/main").signed(),
        row("POST /wechat/kf/{name}", "/wechat/kf/main").signed(),
        // OAuth of an account that is not configured, and a message that nobody has the address of.
        row("GET /wechat/oa/{name}/oauth", "/wechat/oa/main/oauth").signed(),
        row("GET /wechat/oa/{name}/oauth/callback", "/wechat/oa/main/oauth/callback?code=c&state=s").signed(),
        row("GET /m/{token}", "/m/nobody").signed(),
        row("GET /m/{token}/file", "/m/nobody/file").signed(),
        row("GET /readyz", "/readyz").public(),
        row("GET /metrics", "/metrics").through("admin auditor"),
        row("GET /login", "/login").public(),
        row("POST /login", "/login").public(),
        row("GET /password", "/password").any_officer(),
        row("POST /password", "/password").any_officer(),
        row("GET /track", "/track").public(),
        row("POST /track/leave", "/track/leave").public(),
        row("GET /track/{number}", "/track/{case}").public().shows("厂门口", ""),
        row("GET /track/{number}/print", "/track/{case}/print").public().shows("厂门口", ""),
        row("POST /track/{number}/{action}", "/track/{case}/urge").body("text=x").public().shows("厂门口", ""),
        row("GET /api/openapi.json", "/api/openapi.json").public(),
        row("GET /api/docs", "/api/docs").public(),
        // The query code is the credential: whoever has it, and nobody else.
        row("GET /api/track/{number}", "/api/track/{case}?code={code}").public(),
        row("POST /api/track/{number}/{action}", "/api/track/{case}/rate?code={code}").public(),
        row("POST /api/chat/sessions", "/api/chat/sessions").public(),
        row("POST /api/login", "/api/login").public(),
        row("GET /api/me", "/api/me").any_officer(),
        row("POST /api/me/password", "/api/me/password").any_officer(),
        row("GET /api/chat/messages", "/api/chat/messages").visitors().shows("厂门口", "visitor"),
        row("GET /api/chat/stream", "/api/chat/stream").visitors(),
        row("POST /api/chat/messages", "/api/chat/messages").visitors(),
        row("POST /api/chat/attachments", "/api/chat/attachments").visitors(),
        row("POST /api/chat/feedback", "/api/chat/feedback").visitors(),
        row("POST /api/chat/case", "/api/chat/case").visitors(),
        row("POST /api/chat/proposal", "/api/chat/proposal").visitors(),
        row("POST /api/chat/typing", "/api/chat/typing").visitors(),
        row("POST /api/chat/wechat", "/api/chat/wechat").visitors().through("").hidden("visitor stranger"),
        row("GET /api/chat/attachments/{id}", "/api/chat/attachments/{attachment}")
            .through("visitor front_desk dispatcher verifier unit_clerk handler unit_leader supervisor leader auditor foreign_desk")
            .hidden("stranger discipline rule_editor rule_publisher admin foreign_clerk foreign_handler foreign_leader"),
        row("GET /api/attachments/{id}", "/api/attachments/{attachment}")
            .through("front_desk dispatcher verifier unit_clerk handler unit_leader supervisor leader auditor foreign_desk")
            .hidden("discipline rule_editor rule_publisher admin foreign_clerk foreign_handler foreign_leader"),
        row("GET /desk/notices", "/desk/notices").any_officer().shows("{notice}", "unit_clerk"),
        row("GET /desk", "/desk?tab=all").any_officer().shows("{case}", SEE_CASE),
        row("GET /desk/cases/{number}", "/desk/cases/{case}").through(SEE_CASE).hidden(NOT_CASE),
        row("GET /desk/cases/{number}", "/desk/cases/{sealed}").through("discipline").hidden(NOT_SEALED),
        row("GET /desk/cases/{number}/print", "/desk/cases/{case}/print").through(SEE_CASE).hidden(NOT_CASE),
        row("GET /desk/cases/{number}/print", "/desk/cases/{sealed}/print").through("discipline").hidden(NOT_SEALED),
        // Everybody's own id stands on the page.
        row("GET /desk/deputies", "/desk/deputies").any_officer().shows("{clerk}", "unit_clerk unit_leader admin"),
        row("GET /desk/conversations/{id}", "/desk/conversations/{conversation}")
            .through("front_desk dispatcher")
            .hidden("foreign_desk"),
        row("GET /admin", "/admin").through("admin auditor"),
        row("GET /admin/model", "/admin/model").through("admin auditor"),
        row("GET /admin/model/exchanges/{id}", "/admin/model/exchanges/{promise}").through("").hidden("admin auditor"),
        row("POST /admin/model/switch", "/admin/model/switch").body("stopped=false").through("admin"),
        row("GET /api/admin/model", "/api/admin/model").through("admin auditor"),
        row("GET /api/admin/model/exchanges", "/api/admin/model/exchanges").through("admin auditor"),
        row("GET /api/admin/model/exchanges/{id}", "/api/admin/model/exchanges/{promise}")
            .through("")
            .hidden("admin auditor"),
        row("POST /api/admin/model/switch", "/api/admin/model/switch").body(r#"{"stopped":false}"#).through("admin"),
        row("GET /api/cases", "/api/cases").through(READERS).shows("{case}", SEE_CASE),
        row("GET /api/cases", "/api/cases?q={sealed}").through(READERS).shows("{sealed}", "discipline"),
        row("GET /api/cases", "/api/cases?unit=zjj&q=厂门口").through(READERS).shows("{case}", SEE_CASE),
        row("GET /api/cases/{number}", "/api/cases/{case}").through(SEE_CASE).hidden(NOT_CASE),
        row("GET /api/cases/{number}", "/api/cases/{sealed}").through("discipline").hidden(NOT_SEALED),
        row("GET /api/cases/{number}/help", "/api/cases/{case}/help").through(SEE_CASE).hidden(NOT_CASE),
        row("GET /api/cases/{number}/help", "/api/cases/{sealed}/help").through("discipline").hidden(NOT_SEALED),
        row("GET /api/cases/{number}/timeline", "/api/cases/{case}/timeline").through(SEE_CASE).hidden(NOT_CASE),
        // Neither of the two is archived: for nobody is there a package.
        row("GET /api/cases/{number}/package", "/api/cases/{case}/package").hidden(READERS),
        row("GET /api/cases/{number}/timeline", "/api/cases/{sealed}/timeline")
            .through("discipline")
            .hidden(NOT_SEALED),
        row("GET /api/conversations", "/api/conversations")
            .through(FILE)
            .shows("{conversation}", "front_desk dispatcher"),
        row("GET /api/conversations/{id}", CONVERSATION)
            .through("front_desk dispatcher")
            .hidden("foreign_desk"),
        row("GET /api/conversations/{id}/help", "/api/conversations/{conversation}/help")
            .through("front_desk dispatcher")
            .hidden("foreign_desk"),
        row("POST /api/conversations/{id}/suggestions", "/api/conversations/{conversation}/suggestions")
            .body(r#"{"kind":"summary"}"#)
            .through("front_desk dispatcher")
            .hidden("foreign_desk"),
        row("POST /api/cases/{number}/suggestions", "/api/cases/{case}/suggestions")
            .body(r#"{"kind":"summary"}"#)
            .through("front_desk dispatcher verifier unit_clerk handler unit_leader supervisor leader foreign_desk")
            .hidden(NOT_CASE),
        row("POST /api/cases/{number}/suggestions", "/api/cases/{sealed}/suggestions")
            .body(r#"{"kind":"summary"}"#)
            .through("discipline")
            .hidden("front_desk dispatcher verifier unit_clerk handler unit_leader supervisor leader foreign_clerk foreign_handler foreign_leader foreign_desk"),
        // A suggestion is its officer's alone.
        row("POST /api/suggestions/{id}/difference", "/api/suggestions/{promise}/difference")
            .body(r#"{"text":"好"}"#)
            .through("")
            .hidden(ALL_STAFF),
        row("POST /api/suggestions/{id}/end", "/api/suggestions/{promise}/end").through("").hidden(ALL_STAFF),
        row("GET /api/canned", "/api/canned?q=注册").through(FILE),
        row("GET /api/promises", "/api/promises").through(FILE).shows("{promise}", "front_desk dispatcher"),
        row("GET /api/notices", "/api/notices").any_officer().shows("{notice}", "unit_clerk"),
        row("GET /api/colleagues", "/api/colleagues").through(FILE),
        row("GET /api/deputies", "/api/deputies")
            .any_officer()
            .shows("{clerk}", "unit_clerk handler unit_leader admin"),
        row("GET /api/events/stream", "/api/events/stream").through(FOLLOW),
        row("GET /api/admin/units", "/api/admin/units").through("admin"),
        row("GET /api/admin/users", "/api/admin/users").through("admin"),
        row("GET /api/admin/tokens", "/api/admin/tokens").through("admin"),
        row("GET /api/admin/calendars", "/api/admin/calendars").through("admin"),
        row("GET /api/admin/channels", "/api/admin/channels").through("admin"),
        row("GET /api/admin/undelivered", "/api/admin/undelivered").through("admin").shows("{undelivered}", "admin"),
        row("POST /api/admin/undelivered/{id}/retry", "/api/admin/undelivered/{undelivered}/retry")
            .through("admin")
            .once(),
        row("POST /admin/undelivered/{id}/retry", "/admin/undelivered/{undelivered}/retry").body("").through("admin"),
        row("GET /api/admin/health", "/api/admin/health").through("admin auditor"),
        row("POST /api/admin/users", "/api/admin/users")
            .body(r#"{"login":"made","name":"新人","roles":[{"role":"auditor"}]}"#)
            .through("admin"),
        row("PATCH /api/admin/users/{login}", "/api/admin/users/auditor").body(r#"{"name":"改名"}"#).through("admin"),
        row("POST /api/admin/tokens", "/api/admin/tokens")
            .body(r#"{"login":"admin","name":"抢来的"}"#)
            .through("admin"),
        row("DELETE /api/admin/tokens/{id}", "/api/admin/tokens/{token}").through("admin"),
        row("POST /desk/deputies", "/desk/deputies")
            .body("who=zjj+{clerk}&from_on=2026-12-03&until_on=2026-12-04")
            .through("unit_leader admin"),
        row("POST /desk/deputies/end", "/desk/deputies/end")
            .body("unit=zjj&officer_id={clerk}&from_on=2026-12-03")
            .through("unit_leader admin")
            .once(),
        row("POST /api/deputies", "/api/deputies")
            .body(r#"{"unit":"zjj","officer_id":"{clerk}","from_on":"2026-12-01","until_on":"2026-12-02"}"#)
            .through("unit_leader admin"),
        row("POST /api/deputies/end", "/api/deputies/end")
            .body(r#"{"unit":"zjj","officer_id":"{clerk}","from_on":"2026-11-25"}"#)
            .through("unit_leader admin")
            .once(),
        row("POST /api/notices/{id}/read", "/api/notices/{notice}/read").through("unit_clerk").hidden("front_desk dispatcher verifier handler unit_leader supervisor leader discipline rule_editor rule_publisher admin auditor foreign_clerk foreign_handler foreign_leader foreign_desk"),
        row("POST /desk/notices/{id}/read", "/desk/notices/{notice}/read").through("unit_clerk").hidden("front_desk dispatcher verifier handler unit_leader supervisor leader discipline rule_editor rule_publisher admin auditor foreign_clerk foreign_handler foreign_leader foreign_desk"),
        row("POST /desk/notices/read", "/desk/notices/read").any_officer(),
        row("POST /api/notices/opened", "/api/notices/opened").body(r#"{"case_number":"{case}"}"#).any_officer(),
        row("POST /api/notices/read", "/api/notices/read").any_officer(),
        row("POST /api/cases", "/api/cases")
            .body(r#"{"words":"雨后园区积水，货出不去","enterprise":"示例","contact_phone":"13800000002"}"#)
            .through(FILE),
        row("POST /api/cases/{number}/actions/{action}", "/api/cases/{sealed}/actions/accept")
            .through("discipline")
            .hidden("front_desk dispatcher verifier unit_clerk handler unit_leader supervisor leader foreign_clerk foreign_handler foreign_leader foreign_desk"),
        row("POST /api/cases/{number}/actions/{action}", "/api/cases/{case}/actions/record_progress")
            .body(r#"{"text":"已到现场看过"}"#)
            .through("handler")
            .hidden(NOT_CASE),
        row("POST /api/conversations/{id}/notes", "/api/conversations/{conversation}/notes")
            .body(r#"{"text":"记一笔"}"#)
            .through("front_desk dispatcher")
            .hidden("foreign_desk"),
        row("POST /api/conversations/{id}/presence", "/api/conversations/{conversation}/presence")
            .through("front_desk dispatcher")
            .hidden("foreign_desk"),
        row("POST /api/conversations/{id}/case", "/api/conversations/{conversation}/case")
            .through("front_desk")
            .refused(409, "dispatcher")
            .hidden("foreign_desk"),
        row("POST /api/conversations/{id}/attachments", "/api/conversations/{conversation}/attachments")
            .body(FORM)
            .through("front_desk")
            .refused(409, "dispatcher")
            .hidden("foreign_desk"),
        row("POST /api/conversations/{id}/messages", "/api/conversations/{conversation}/messages")
            .body(r#"{"client_id":"m1","text":"已转住建局"}"#)
            .through("front_desk")
            .refused(409, "dispatcher")
            .hidden("foreign_desk"),
        row("POST /api/conversations/{id}/claim", "/api/conversations/{conversation}/claim")
            .through("front_desk")
            .refused(409, "dispatcher")
            .hidden("foreign_desk"),
        row("POST /api/promises/{id}/end", "/api/promises/{promise}/end")
            .body(r#"{"kept":true}"#)
            .through("front_desk dispatcher")
            .once()
            .hidden("foreign_desk"),
        row("POST /api/conversations/{id}/release", "/api/conversations/{conversation}/release")
            .through("front_desk dispatcher")
            .once()
            .hidden("foreign_desk"),
        row("POST /api/conversations/{id}/claim", "/api/conversations/{conversation}/claim")
            .through("front_desk dispatcher")
            .once()
            .hidden("foreign_desk"),
        row("POST /api/conversations/{id}/transfer", "/api/conversations/{conversation}/transfer")
            .body(r#"{"unit":"zjj"}"#)
            .through("front_desk dispatcher")
            .once()
            .hidden("foreign_desk"),
        row("POST /api/conversations/{id}/close", "/api/conversations/{conversation}/close")
            .through("front_desk dispatcher")
            .once()
            .hidden("foreign_desk"),
        row("POST /api/chat/handoff", "/api/chat/handoff").visitors(),
        row("POST /track", "/track").body("number={case}&code=WRONG1").through("").public(),
        row("POST /logout", "/logout").any_officer(),
        row("POST /api/logout", "/api/logout").any_officer(),
    ]
}
