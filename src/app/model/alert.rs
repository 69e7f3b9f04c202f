//! Endpoints that need somebody: a wrong key or an account without money is told to administrators and shown in
//! `/metrics`. The client has left the endpoint alone by then; visitors hear the rules.

use std::sync::atomic::Ordering::Relaxed;

use super::super::{
    App, AppError,
    notices::{self, Notice, NoticeKind},
};
use crate::ports::model::EndpointHealth;

/// Looks at the endpoints; administrators are told once a day of each that waits for somebody.
///
/// # Errors
/// `Store`.
pub async fn look(app: &App) -> Result<usize, AppError> {
    let endpoints = app.model.client().map(|client| client.endpoints()).unwrap_or_default();
    let count = |health| endpoints.iter().filter(|endpoint| endpoint.health == health).count() as u64;
    let hard = count(EndpointHealth::Hard);
    app.metrics.model_endpoints_hard.store(hard, Relaxed);
    app.metrics.model_endpoints_open.store(hard + count(EndpointHealth::Open), Relaxed);
    if hard == 0 {
        return Ok(0);
    }
    let now = app.now();
    let today = app.zone().to_datetime(now).date();
    let mut tx = app.db.write().await?;
    let mut told = notices::Told::default();
    for endpoint in endpoints.iter().filter(|endpoint| endpoint.health == EndpointHealth::Hard) {
        let why = endpoint.last_failure.as_deref().unwrap_or("密钥无效或账户欠费");
        let text = format!("大模型端点“{}”已停用待处理：{why}。请检查密钥和账户，期间按规则库作答", endpoint.name);
        let key = format!("model-endpoint:{}:{today}", endpoint.name);
        let notice = Notice::to_administrators(NoticeKind::News, &text, &key);
        told.join(notices::notify(&mut tx, app, &notice, now).await?);
    }
    let hard = usize::try_from(hard).unwrap_or(0);
    if told.is_empty() {
        tx.rollback().await?;
        return Ok(hard);
    }
    tx.commit().await?;
    told.tell(app);
    Ok(hard)
}
