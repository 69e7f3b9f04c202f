//! Text as the rules see it: one normaliser for rules and messages, clauses, and redaction of personal data.
//!
//! Nothing here is shown to people: normalising changes numbers (½, ①②), so amounts, dates and names are taken
//! from the original through the offsets that [`Normalised`] keeps.

mod clause;
mod difference;
mod fold;
mod names;
mod normalise;
mod personal;
mod quote;
mod redact;
mod table;

pub use clause::{Boundary, Clause, clauses, clauses_into};
pub use difference::{Change, ChangeKind, Difference, difference};
pub(crate) use normalise::is_han;
pub use normalise::{Normalised, han_only, normalise, normalised};
pub use personal::{
    Personal, PersonalKind, bank_card_is_valid, find_personal, id_card_is_valid, mask_personal, phones, uscc_is_valid,
};
pub use quote::stands_in;
pub use redact::{Hidden, Redactor};
