//! What every page shows of the house: its name, who runs it, where the static files lie.

use askama::Template;
use axum::response::Html;

use crate::{
    app::AppError,
    config::BrandConfig,
    web::{error::WebError, static_files},
};

/// Renders a page; a template that cannot be rendered is a failure of the gateway.
///
/// # Errors
/// `Internal`.
pub fn render<T: Template>(page: &T) -> Result<Html<String>, WebError> {
    page.render().map(Html).map_err(|error| WebError(AppError::Internal(format!("template: {error}"))))
}

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
