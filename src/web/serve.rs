//! The accept loop. Of our own, because `axum::serve` has no header timeout and no limit of connections.
//!
//! A connection that sends nothing is closed after 5 s, an idle one after 30 s, one whose client does not read after
//! 30 s; headers must be complete within 5 s. Bodies have their timeout in the router. Connections are counted per
//! address and in all.

use std::{
    collections::HashMap,
    io,
    net::{IpAddr, SocketAddr},
    pin::Pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
    task::{Context, Poll},
    time::{Duration, Instant},
};

use axum::{Router, body::Body, response::Response};
use hyper::{
    body::{Body as HttpBody, Frame, Incoming, SizeHint},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpSocket, TcpStream},
};
use tokio_util::task::TaskTracker;
use tower::ServiceExt as _;

use super::router::{Peer, is_trusted};
use crate::app::App;

const BACKLOG: u32 = 4096;
const HEADER_TIMEOUT: Duration = Duration::from_secs(5);
const FIRST_BYTE: Duration = Duration::from_secs(5);
const IDLE: Duration = Duration::from_secs(30);
const STALLED: Duration = Duration::from_secs(30);
/// Open requests may finish for this long at shutdown.
const GRACE: Duration = Duration::from_secs(10);

/// Binds with a backlog that takes a burst of connections.
///
/// # Errors
/// When the address is taken or not ours.
pub fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Serves until `app.shutdown` is cancelled, then lets open requests finish.
pub async fn serve(app: &App, listener: TcpListener, router: Router) {
    let counts = Arc::new(Counts::default());
    let tracker = TaskTracker::new();
    let limits = (app.config.limits.connections, app.config.limits.connections_per_address);
    loop {
        let accepted = tokio::select! {
            () = app.shutdown.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                // Out of descriptors: wait for connections to end instead of spinning.
                tracing::warn!(error = &error as &dyn std::error::Error, "a connection could not be accepted");
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        let address = peer.ip().to_canonical();
        let trusted = is_trusted(&app.config.server.trusted_proxies, address);
        let Some(slot) = Counts::take(&counts, address, limits.0, if trusted { limits.0 } else { limits.1 }) else {
            app.metrics.refused_connections.fetch_add(1, Relaxed);
            continue;
        };
        let _ = stream.set_nodelay(true);
        tracker.spawn(connection(app.clone(), stream, peer, router.clone(), slot));
    }
    drop(listener);
    tracker.close();
    if tokio::time::timeout(GRACE, tracker.wait()).await.is_err() {
        tracing::warn!("some requests did not finish in time and were cut off");
    }
}

async fn connection(app: App, stream: TcpStream, peer: SocketAddr, router: Router, _slot: Slot) {
    app.metrics.connections.fetch_add(1, Relaxed);
    let activity = Arc::new(Activity::new());
    let io = TokioIo::new(Watched { stream, activity: activity.clone() });
    let service = {
        let activity = activity.clone();
        service_fn(move |mut request: hyper::Request<Incoming>| {
            let busy = Busy::begin(&activity);
            request.extensions_mut().insert(Peer(peer));
            let router = router.clone();
            async move {
                let response = Box::pin(router.oneshot(request.map(Body::new))).await?;
                Ok::<_, std::convert::Infallible>(busy.until_sent(response))
            }
        })
    };
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .max_buf_size(64 * 1024)
        .max_headers(100)
        .pipeline_flush(true)
        .serve_connection(io, service)
        .with_upgrades();
    tokio::pin!(connection);
    let mut stopping = false;
    loop {
        tokio::select! {
            // How a connection ends is the client's matter.
            _ = connection.as_mut() => break,
            () = app.shutdown.cancelled(), if !stopping => {
                stopping = true;
                connection.as_mut().graceful_shutdown();
            },
            () = tokio::time::sleep(Duration::from_secs(2)) => {
                if activity.is_dead() {
                    break;
                }
            },
        }
    }
    app.metrics.connections.fetch_sub(1, Relaxed);
}

/// Open connections by address.
#[derive(Debug, Default)]
struct Counts {
    all: AtomicUsize,
    by_address: Mutex<HashMap<IpAddr, usize>>,
}

impl Counts {
    fn take(counts: &Arc<Self>, address: IpAddr, most: usize, most_here: usize) -> Option<Slot> {
        if counts.all.load(Relaxed) >= most {
            return None;
        }
        let mut map = counts.by_address.lock().unwrap_or_else(PoisonError::into_inner);
        let here = map.entry(address).or_insert(0);
        if *here >= most_here {
            return None;
        }
        *here += 1;
        counts.all.fetch_add(1, Relaxed);
        Some(Slot { counts: counts.clone(), address })
    }
}

/// One counted connection.
struct Slot {
    counts: Arc<Counts>,
    address: IpAddr,
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.counts.all.fetch_sub(1, Relaxed);
        let mut map = self.counts.by_address.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(here) = map.get_mut(&self.address) {
            *here -= 1;
            if *here == 0 {
                map.remove(&self.address);
            }
        }
    }
}

/// When something last moved on a connection.
#[derive(Debug)]
struct Activity {
    born: Instant,
    /// Milliseconds after `born` of the last byte in either direction; 0: none yet.
    moved: AtomicU64,
    /// Milliseconds after `born` since a write waits for the client; 0: none waits.
    waiting: AtomicU64,
    /// Requests whose answer is not sent yet.
    busy: AtomicUsize,
}

impl Activity {
    fn new() -> Self {
        Self { born: Instant::now(), moved: AtomicU64::new(0), waiting: AtomicU64::new(0), busy: AtomicUsize::new(0) }
    }

    fn elapsed_ms(&self) -> u64 {
        u64::try_from(self.born.elapsed().as_millis()).unwrap_or(u64::MAX).max(1)
    }

    fn is_dead(&self) -> bool {
        let now = self.elapsed_ms();
        let since = |at: u64| Duration::from_millis(now.saturating_sub(at));
        let (moved, waiting) = (self.moved.load(Relaxed), self.waiting.load(Relaxed));
        if waiting != 0 && since(waiting) > STALLED {
            return true;
        }
        if self.busy.load(Relaxed) > 0 {
            return false;
        }
        since(moved) > if moved == 0 { FIRST_BYTE } else { IDLE }
    }
}

/// A request in work; lasts until its answer's body has been sent.
struct Busy(Arc<Activity>);

impl Busy {
    fn begin(activity: &Arc<Activity>) -> Self {
        activity.busy.fetch_add(1, Relaxed);
        Self(activity.clone())
    }

    fn until_sent(self, response: Response) -> hyper::Response<Sent> {
        response.map(|body| Sent { body, _busy: self })
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.moved.store(self.0.elapsed_ms(), Relaxed);
        self.0.busy.fetch_sub(1, Relaxed);
    }
}

/// A body that keeps its request counted as in work.
struct Sent {
    body: Body,
    _busy: Busy,
}

impl HttpBody for Sent {
    type Data = bytes::Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// A stream that notes when bytes move and when the client does not take any.
struct Watched {
    stream: TcpStream,
    activity: Arc<Activity>,
}

impl Watched {
    fn note<T>(&self, poll: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        let now = self.activity.elapsed_ms();
        if poll.is_pending() {
            let _ = self.activity.waiting.compare_exchange(0, now, Relaxed, Relaxed);
        } else {
            self.activity.waiting.store(0, Relaxed);
            self.activity.moved.store(now, Relaxed);
        }
        poll
    }
}

impl AsyncRead for Watched {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let poll = Pin::new(&mut self.stream).poll_read(cx, buf);
        if buf.filled().len() > before {
            self.activity.moved.store(self.activity.elapsed_ms(), Relaxed);
        }
        poll
    }
}

impl AsyncWrite for Watched {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let poll = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.note(poll)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let poll = Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        self.note(poll)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_are_counted_per_address() {
        let counts = Arc::new(Counts::default());
        let (a, b) = (IpAddr::from([10, 0, 0, 1]), IpAddr::from([10, 0, 0, 2]));
        let first = Counts::take(&counts, a, 3, 2).unwrap();
        let _second = Counts::take(&counts, a, 3, 2).unwrap();
        assert!(Counts::take(&counts, a, 3, 2).is_none());
        let _third = Counts::take(&counts, b, 3, 2).unwrap();
        assert!(Counts::take(&counts, b, 3, 2).is_none(), "the total is full");
        drop(first);
        assert!(Counts::take(&counts, a, 3, 2).is_some());
    }
}
