//! Runs the jobs: on an interval and when woken, each in its own task, until shutdown.
//!
//! A job that panics or fails is noted on the board and tried again at its next turn; it takes nobody with it. A job
//! never runs twice at once within one process; several processes share the work through the database.

use std::{future::Future, pin::Pin, time::Duration};

use tokio::{
    task::JoinSet,
    time::{Instant, MissedTickBehavior, interval_at},
};

use super::{checkpoint, conversations, retention, sla_sweep};
use crate::app::{App, AppError};

type Run = Pin<Box<dyn Future<Output = Result<String, AppError>> + Send>>;

/// A job as the runner sees it.
struct Job {
    name: &'static str,
    every: Duration,
    run: fn(App) -> Run,
    /// Waits until somebody wants it to run before its turn.
    woken: fn(App) -> Pin<Box<dyn Future<Output = ()> + Send>>,
}

const JOBS: &[Job] = &[
    Job {
        name: "sla_sweep",
        every: Duration::from_secs(2),
        run: |app| Box::pin(async move { sla_sweep::run_once(&app).await.map(|summary| summary.to_string()) }),
        woken: |app| Box::pin(async move { app.wake.timers.notified().await }),
    },
    Job {
        name: "checkpoint",
        every: Duration::from_millis(500),
        run: |app| Box::pin(async move { checkpoint::run_once(&app).await }),
        woken: |_| Box::pin(std::future::pending()),
    },
    Job {
        name: "conversations",
        every: Duration::from_secs(20),
        run: |app| Box::pin(async move { conversations::run_once(&app).await }),
        woken: |_| Box::pin(std::future::pending()),
    },
    Job {
        name: "retention",
        every: Duration::from_hours(1),
        run: |app| Box::pin(async move { retention::run_once(&app).await.map(|summary| summary.to_string()) }),
        woken: |_| Box::pin(std::future::pending()),
    },
];

/// Starts every job; they end when the app shuts down. Await the set after that.
pub fn start(app: &App) -> JoinSet<()> {
    let mut set = JoinSet::new();
    for job in JOBS {
        set.spawn(drive(app.clone(), job));
    }
    set
}

async fn drive(app: App, job: &'static Job) {
    let mut tick = interval_at(Instant::now() + job.every.min(Duration::from_millis(500)), job.every);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = app.shutdown.cancelled() => return,
            _ = tick.tick() => {}
            () = (job.woken)(app.clone()) => {}
        }
        once(&app, job).await;
    }
}

/// One run in a task of its own, so that a panic ends only this run. Shutdown waits for it: a transaction is short.
async fn once(app: &App, job: &'static Job) {
    app.jobs.begin(job.name, app.now());
    let began = Instant::now();
    let mut task = JoinSet::new();
    task.spawn((job.run)(app.clone()));
    let result = match task.join_next().await {
        Some(Ok(Ok(summary))) => Ok(summary),
        Some(Ok(Err(error))) => {
            tracing::error!(job = job.name, error = &error as &dyn std::error::Error, "a job failed");
            Err(error.to_string())
        }
        Some(Err(error)) => {
            tracing::error!(job = job.name, %error, "a job panicked");
            Err("panicked".to_owned())
        }
        None => Err("did not run".to_owned()),
    };
    let took = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
    app.jobs.end(job.name, app.now(), took, result);
}
