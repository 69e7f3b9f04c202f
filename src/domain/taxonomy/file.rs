//! The TOML shape of `rules/taxonomy.toml`; checked into a [`super::Taxonomy`].

use serde::Deserialize;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TaxonomyFile {
    pub(super) schema: u32,
    #[serde(rename = "type", default)]
    pub(super) types: Vec<TypeBlock>,
    #[serde(rename = "topic", default)]
    pub(super) topics: Vec<TopicBlock>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TypeBlock {
    pub(super) slug: String,
    pub(super) code: String,
    pub(super) xiangshan: String,
    #[serde(default)]
    pub(super) tell_tale: Vec<String>,
    #[serde(default)]
    pub(super) aliases: Vec<String>,
    #[serde(default)]
    pub(super) note: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TopicBlock {
    pub(super) code: String,
    pub(super) group: String,
    pub(super) label: String,
    #[serde(default)]
    pub(super) ask: Vec<String>,
    #[serde(default)]
    pub(super) guidance: Option<String>,
    pub(super) place: String,
    pub(super) board: String,
    pub(super) category: String,
    #[serde(rename = "type")]
    pub(super) case_type: Option<String>,
    #[serde(default)]
    pub(super) aliases: Vec<String>,
}
