//! Works off the forms that a model was asked about, a few at the same time and apart from visitors' questions, which
//! are waited for ([`super::model`]).
//!
//! A form that is under way when the process dies is claimed again; it gets its proposal once, whatever happens
//! ([`crate::app::model::propose`]). Without a model it only lets go what a former configuration left.

use std::time::Duration;

use tokio::task::JoinSet;

use crate::app::{App, AppError, model::propose};

/// Forms worked at in the same time.
const AT_ONCE: usize = 4;
/// How often it looks without being woken.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Works until shutdown; call it once.
pub async fn run(app: App) {
    let mut running: JoinSet<Result<propose::Ended, AppError>> = JoinSet::new();
    loop {
        if let Err(error) = fill(&app, &mut running).await {
            tracing::warn!(error = &error as &dyn std::error::Error, "forms could not be claimed for the model");
        }
        if app.model.client().is_none() && running.is_empty() {
            return;
        }
        tokio::select! {
            () = app.shutdown.cancelled() => break,
            () = app.wake.proposals.notified() => {},
            () = tokio::time::sleep(LOOK_EVERY) => {},
            Some(ended) = running.join_next() => note(ended),
        }
    }
    // Calls under way see the shutdown and give their forms back.
    while let Some(ended) = running.join_next().await {
        note(ended);
    }
}

/// Works off everything that waits now.
///
/// # Errors
/// `Store`.
pub async fn run_once(app: &App) -> Result<Vec<propose::Ended>, AppError> {
    let mut ended = Vec::new();
    loop {
        let tasks = propose::claim(app, AT_ONCE).await?;
        if tasks.is_empty() {
            return Ok(ended);
        }
        for task in tasks {
            ended.push(propose::work(app, &task).await?);
        }
    }
}

async fn fill(app: &App, running: &mut JoinSet<Result<propose::Ended, AppError>>) -> Result<(), AppError> {
    let free = AT_ONCE.saturating_sub(running.len());
    if free == 0 || app.shutdown.is_cancelled() {
        return Ok(());
    }
    for task in propose::claim(app, free).await? {
        let app = app.clone();
        running.spawn(async move { propose::work(&app, &task).await });
    }
    Ok(())
}

fn note(ended: Result<Result<propose::Ended, AppError>, tokio::task::JoinError>) {
    match ended {
        Ok(Ok(_)) => {}
        Ok(Err(error)) => {
            tracing::warn!(error = &error as &dyn std::error::Error, "a form for the model is tried again");
        }
        Err(error) => tracing::error!(%error, "a form for the model panicked; it is tried again"),
    }
}
