//! How visitors decided about what a model proposed for their forms, for the console of the model.

use jiff::Timestamp;

use super::AppError;
use crate::{
    domain::dialogue::{ProposalKey, ProposalOutcome},
    store::{Tx, model_proposals},
};

/// What became of proposals of one kind.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProposalLine {
    /// Slug of what was proposed.
    pub key: String,
    /// The same in Chinese.
    pub label: &'static str,
    /// Taken over as they were.
    pub accepted: i64,
    /// Another value was put in their place.
    pub changed: i64,
    /// Not wanted.
    pub refused: i64,
    /// Left alone until the form was filed or gone.
    pub dropped: i64,
    /// Not decided.
    pub open: i64,
}

/// The lines since an instant, in the order of the form; only what was proposed.
pub(super) async fn lines(tx: &mut Tx, since: Timestamp) -> Result<Vec<ProposalLine>, AppError> {
    let mut lines: Vec<ProposalLine> = ProposalKey::ALL
        .iter()
        .map(|key| ProposalLine { key: key.as_str().to_owned(), label: key.label(), ..ProposalLine::default() })
        .collect();
    for count in model_proposals::counts(tx, since).await? {
        let Some(line) = lines.iter_mut().find(|line| line.key == count.item) else { continue };
        match count.outcome.parse() {
            Ok(ProposalOutcome::Accepted) => line.accepted = count.n,
            Ok(ProposalOutcome::Changed) => line.changed = count.n,
            Ok(ProposalOutcome::Refused) => line.refused = count.n,
            Ok(ProposalOutcome::Dropped) => line.dropped = count.n,
            Ok(ProposalOutcome::Open) => line.open = count.n,
            Err(_) => {}
        }
    }
    lines.retain(|line| line.accepted + line.changed + line.refused + line.dropped + line.open > 0);
    Ok(lines)
}
