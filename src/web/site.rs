//! What every page shows of the house: its name, who runs it, where the static files lie.

use crate::{config::BrandConfig, web::static_files};

/// Name and addresses that all templates use as `site`.
#[derive(Debug, Clone)]
pub struct Site {
    /// Product name.
    pub name: String,
    /// Who runs it.
    pub operator: String,
    /// Prefix of the static files of this release.
    pub base: String,
}

impl Site {
    /// The site as the configuration names it.
    pub fn new(brand: &BrandConfig) -> Self {
        Self { name: brand.name.clone(), operator: brand.operator.clone(), base: static_files::asset_base() }
    }
}
