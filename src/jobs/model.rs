//! Works off the questions that wait for the language model, several at the same time.
//!
//! A question that is under way when the process dies is claimed again; what its visitor hears comes once, whatever
//! happens ([`crate::app::model::answer`]). Without a model it only lets go what a former configuration left.

use std::time::Duration;

use tokio::task::JoinSet;

use crate::app::{
    App, AppError,
    model::{self, answer},
};

/// Questions worked at in the same time; further ones wait their turn.
const AT_ONCE: usize = 16;
/// How often it looks without being woken.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How often switch and budgets are looked at: another gateway may have set the one, midnight renews the other.
const REFRESH_EVERY: Duration = Duration::from_secs(5);

/// How often it looks for calls in the journal whose process is gone.
const TIDY_EVERY: Duration = Duration::from_mins(1);

/// Works until shutdown; call it once.
pub async fn run(app: App) {
    if let Err(error) = answer::take_up(&app).await {
        tracing::warn!(error = &error as &dyn std::error::Error, "questions of a former process wait for their leases");
    }
    let mut running = JoinSet::new();
    let mut refresh = tokio::time::interval(REFRESH_EVERY);
    let mut tidy = tokio::time::interval(TIDY_EVERY);
    loop {
        if let Err(error) = fill(&app, &mut running).await {
            tracing::warn!(error = &error as &dyn std::error::Error, "questions to the model could not be claimed");
        }
        if app.model.client().is_none() && running.is_empty() {
            return;
        }
        tokio::select! {
            () = app.shutdown.cancelled() => break,
            () = app.wake.model.notified() => {},
            () = tokio::time::sleep(LOOK_EVERY) => {},
            _ = refresh.tick() => {
                let looked = async {
                    model::switch_state(&app).await?;
                    model::refresh(&app).await?;
                    model::alert::look(&app).await.map(|_| ())
                };
                if let Err(error) = looked.await {
                    tracing::warn!(error = &error as &dyn std::error::Error, "switch, budgets and endpoints of the model could not be looked at");
                }
            },
            _ = tidy.tick() => if let Err(error) = model::end_abandoned(&app).await {
                tracing::warn!(error = &error as &dyn std::error::Error, "the journal of the model was not tidied");
            },
            Some(ended) = running.join_next() => note(ended),
        }
    }
    // Calls under way see the shutdown and give their questions back.
    while let Some(ended) = running.join_next().await {
        note(ended);
    }
}

/// Works off everything that waits now.
///
/// # Errors
/// `Store`.
pub async fn run_once(app: &App) -> Result<Vec<answer::Ended>, AppError> {
    let mut ended = Vec::new();
    loop {
        let tasks = answer::claim(app, AT_ONCE).await?;
        if tasks.is_empty() {
            return Ok(ended);
        }
        for task in tasks {
            ended.push(answer::work(app, &task).await?);
        }
    }
}

type Ended = Result<answer::Ended, AppError>;

async fn fill(app: &App, running: &mut JoinSet<Ended>) -> Result<(), AppError> {
    let free = AT_ONCE.saturating_sub(running.len());
    if free == 0 || app.shutdown.is_cancelled() {
        return Ok(());
    }
    for task in answer::claim(app, free).await? {
        let app = app.clone();
        running.spawn(async move { answer::work(&app, &task).await });
    }
    Ok(())
}

fn note(ended: Result<Ended, tokio::task::JoinError>) {
    match ended {
        Ok(Ok(_)) => {}
        Ok(Err(error)) => {
            tracing::warn!(error = &error as &dyn std::error::Error, "a question to the model is tried again");
        }
        Err(error) => tracing::error!(%error, "a question to the model panicked; it is tried again"),
    }
}
