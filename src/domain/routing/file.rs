//! The TOML shape of `rules/routing.toml`; checked into a [`super::RoutingTable`].

use serde::Deserialize;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RoutingFile {
    pub(super) schema: u32,
    #[serde(rename = "unit", default)]
    pub(super) units: Vec<UnitBlock>,
    #[serde(rename = "row", default)]
    pub(super) rows: Vec<RowBlock>,
    #[serde(rename = "special", default)]
    pub(super) specials: Vec<SpecialBlock>,
    #[serde(rename = "fallback", default)]
    pub(super) fallbacks: Vec<FallbackBlock>,
    pub(super) desks: DesksBlock,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct UnitBlock {
    pub(super) slug: String,
    pub(super) name: String,
    pub(super) short_name: String,
    pub(super) kind: String,
    #[serde(default = "county")]
    pub(super) level: String,
    pub(super) parent: Option<String>,
    #[serde(default = "local")]
    pub(super) supervise_path: String,
    #[serde(default)]
    pub(super) duties: String,
    #[serde(default)]
    pub(super) aliases: Vec<String>,
    #[serde(default)]
    pub(super) loose: Vec<String>,
    pub(super) valid_from: Option<String>,
    pub(super) valid_to: Option<String>,
    pub(super) successor: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RowBlock {
    pub(super) topic: String,
    #[serde(default)]
    pub(super) sub: Vec<String>,
    #[serde(default)]
    pub(super) none: Vec<String>,
    #[serde(default)]
    pub(super) types: Vec<String>,
    #[serde(default)]
    pub(super) regions: Vec<String>,
    pub(super) lead: String,
    #[serde(default)]
    pub(super) assists: Vec<String>,
    #[serde(default)]
    pub(super) next: Vec<String>,
    pub(super) place: Option<String>,
    #[serde(default = "county")]
    pub(super) level: String,
    pub(super) board: Option<String>,
    pub(super) category: Option<String>,
    #[serde(default)]
    pub(super) joint: bool,
    pub(super) profile: Option<String>,
    #[serde(default)]
    pub(super) sensitive: bool,
    #[serde(default)]
    pub(super) guidance: String,
    pub(super) valid_from: Option<String>,
    pub(super) valid_to: Option<String>,
    #[serde(default)]
    pub(super) source: String,
    #[serde(default)]
    pub(super) owner: String,
    #[serde(default)]
    pub(super) reviewer: String,
    #[serde(default)]
    pub(super) tests: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SpecialBlock {
    pub(super) name: String,
    #[serde(default)]
    pub(super) types: Vec<String>,
    #[serde(default)]
    pub(super) words: Vec<String>,
    #[serde(default)]
    pub(super) leads: Vec<String>,
    #[serde(default)]
    pub(super) natural_assists: bool,
    pub(super) profile: Option<String>,
    #[serde(default)]
    pub(super) sensitive: bool,
    #[serde(default)]
    pub(super) source: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FallbackBlock {
    pub(super) category: String,
    pub(super) lead: String,
    #[serde(default)]
    pub(super) words: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DesksBlock {
    pub(super) duty: String,
    pub(super) centre: String,
    pub(super) citizens: String,
    pub(super) enforcement: String,
    pub(super) conduct: Vec<String>,
    pub(super) service: String,
    pub(super) hard: String,
}

fn county() -> String {
    "county".to_owned()
}

fn local() -> String {
    "local".to_owned()
}
