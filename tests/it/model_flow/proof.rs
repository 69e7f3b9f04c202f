//! Every sentence of every shipped answer passes the checks that hold a model to it.

use zhitong::{
    app::content::{self, Origin},
    config::Config,
    domain::grounding::{BreachKind, Draft, Limits, Source, Status, check},
};

use crate::support::NOW;

#[test]
fn what_a_shipped_answer_says_is_refused_by_no_check_of_its_own_words() {
    let now = NOW.parse().expect("an instant");
    let built = content::build(&content::shipped_files(), &Config::default().time, now, Origin::Shipped, true);
    let content = built.content.expect("the shipped content loads");
    let (mut seen, mut refused) = (0, Vec::new());
    for source in content.rules.rules().iter().filter_map(Source::of_rule) {
        for sentence in source.text.split_inclusive(['。', '\n']).filter(|sentence| !sentence.contains("{{")) {
            let draft = Draft {
                status: Status::Answered,
                answer: sentence.trim().to_owned(),
                cites: vec![source.id.clone()],
                confidence: None,
            };
            seen += 1;
            let breaches = check(&draft, std::slice::from_ref(&source), &Limits::default()).err().unwrap_or_default();
            let told = breaches.iter().find(|b| matches!(b.kind, BreachKind::Polarity | BreachKind::Verdict));
            refused.extend(told.map(|breach| format!("{}: {sentence} {breach:?}", source.id)));
        }
    }
    assert!(seen > 400, "{seen}");
    assert!(refused.is_empty(), "{} of {seen}:\n{}", refused.len(), refused.join("\n"));
}
