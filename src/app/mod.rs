//! The composition root: which part is made of which, and the life of the process: bind, serve, drain.

mod core;
mod error;
mod reload;
mod site;

use std::fmt;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

pub use core::{Core, check, content, facts, read_feeds};
pub use error::StartError;

use crate::admin::{Admin, Latch, Readiness};
use crate::app::reload::Reload;
use crate::clock::Clock;
use crate::config::Config;
use crate::front::Front;
use crate::listen::{Limits, Listener};
use crate::trust::RefreshNow;

/// The program, bound to its addresses: clients may connect, and are answered once it [runs](App::run).
pub struct App {
    core: Core,
    front: Door<Front>,
    admin: Door<Admin>,
    serving: Latch,
    reload: Reload,
}

/// A listener, and who answers there.
struct Door<A> {
    listener: Listener,
    answer: Arc<A>,
}

/// How often the runtime looks for new events, in turns of tasks. With tokio's own 61, manifests wait behind saturating
/// blobs a hundred times longer.
const EVENT_INTERVAL: u32 = 4;

/// The runtime that everything runs on.
///
/// # Errors
/// If the operating system gives no threads.
pub fn runtime() -> io::Result<Runtime> {
    settings().build()
}

fn settings() -> Builder {
    let mut settings = Builder::new_multi_thread();
    settings.enable_all().event_interval(EVENT_INTERVAL);
    settings
}

/// Files that are open when all places for connections are taken, each by a client of a blob: what is asked of a host.
const FILES: u64 = 2 * Limits::STANDARD.connections as u64;

/// Lets this process have as many files open as it may raise its limit to. What a shell gives, often 1024, is meant for
/// programs older than this one; where it stays that low, connections wait long before their bound is reached.
pub fn raise_file_limit() {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let raised = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
    let files = if raised.is_ok() { maximum } else { current };
    if files.is_some_and(|files| files < FILES) {
        warn!(files, wanted = FILES, "few files may be open: with many clients, some wait");
    }
}

/// Resolves at the first SIGTERM or SIGINT.
///
/// # Errors
/// If the operating system does not tell of signals.
pub fn stop_signal() -> io::Result<impl Future<Output = ()>> {
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

impl App {
    /// Opens the stores and binds the addresses. Logs what weakens a check.
    ///
    /// # Errors
    /// [`StartError`]: nothing is left running then.
    pub async fn build(config: Config, clock: Arc<dyn Clock>) -> Result<Self, StartError> {
        config.warnings.iter().for_each(|warning| warn!(origin = config.origin, "{warning}"));
        config.weakenings().iter().for_each(|weakening| warn!(origin = config.origin, "weakened: {weakening}"));
        let front = Listener::bind(config.server.listen, config.server.tls.as_ref(), Limits::STANDARD).await?;
        let admin = Listener::bind(config.admin.listen, None, Limits::STANDARD).await?;
        let (file, fixed) = (config.file.clone(), config.fixed());
        let core = Core::open(config, clock).await?;
        let reload = Reload::new((file, fixed), core.rules(), core.feeds(), core.metrics())?;
        let mut readiness = Readiness::new();
        let serving = readiness.latch("front");
        let answer = Front::new(core.gate(), core.upstreams().clone(), core.metrics())?;
        let front = Door { listener: front.counted(answer.connections()), answer: Arc::new(answer) };
        let answer = Admin::new(core.metrics().clone(), Arc::new(readiness));
        let admin = Door { listener: admin, answer: Arc::new(answer) };
        Ok(Self { core, front, admin, serving, reload })
    }

    /// Where clients are served.
    pub fn address(&self) -> SocketAddr {
        self.front.listener.address()
    }

    /// The URL that clients use.
    pub fn url(&self) -> String {
        let scheme = if self.front.listener.is_tls() { "https" } else { "http" };
        format!("{scheme}://{}", self.address())
    }

    /// Where the operator is served.
    pub fn admin_address(&self) -> SocketAddr {
        self.admin.listener.address()
    }

    /// To ask for a look at all trusted roots with, while this [runs](Self::run).
    pub fn refresh_now(&self) -> RefreshNow {
        self.core.refresh_now()
    }

    /// Serves until `stop` resolves; then lets running requests finish, cuts what does not, and closes the stores. The
    /// operator is served to the end.
    pub async fn run(self, stop: impl Future<Output = ()>) {
        let (front_stop, admin_stop) = (CancellationToken::new(), CancellationToken::new());
        info!(front = self.url(), admin = %self.admin_address(), "serving");
        let Self { mut core, front, admin, serving, reload } = self;
        core.keep_house();
        let serve_front = async {
            let drained = front.listener.serve(front.answer, front_stop.clone()).await;
            info!(cut = drained.cut, "drained");
            admin_stop.cancel();
        };
        // Before the first connection is taken: whoever knows the address may ask at once whether it is ready.
        serving.set();
        let wait = async {
            stop.await;
            info!("stopping");
            serving.release();
            front_stop.cancel();
        };
        let serve_admin = admin.listener.serve(admin.answer, admin_stop.clone());
        let reload = reload.run(front_stop.clone());
        tokio::join!(Box::pin(serve_front), Box::pin(serve_admin), Box::pin(reload), wait);
        core.close().await;
    }
}

impl fmt::Debug for App {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("App")
            .field("front", &self.address())
            .field("admin", &self.admin_address())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::os::unix::net::UnixDatagram;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
    use std::task::Poll;

    use tokio_util::task::TaskTracker;

    use super::*;

    /// As many streams as there are in the table of `docs/performance.md`.
    const SATURATING: u32 = 8;

    /// Each stream takes a turn, of a bounded length, and wants the next at once. The request comes in the middle of such a
    /// turn, on the only thread there is: how many turns pass until it is seen is no matter of time.
    #[test]
    fn a_request_is_seen_after_few_turns_of_saturating_streams() {
        let runtime = settings().worker_threads(1).build().unwrap();
        // On the thread of the streams, and not on this one.
        let waited = runtime.block_on(async { TaskTracker::new().spawn(longest_wait()).await }).unwrap();
        assert!(waited <= EVENT_INTERVAL + SATURATING, "{waited} turns");
    }

    /// The most turns that a request waits for, over all places between two looks for events at which it may come.
    async fn longest_wait() -> u32 {
        let (client, server) = UnixDatagram::pair().unwrap();
        server.set_nonblocking(true).unwrap();
        let (client, server) = (Arc::new(client), tokio::net::UnixDatagram::from_std(server).unwrap());
        let mut longest = 0;
        for comes_at in 100..200 {
            let (turns, is_seen) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicBool::new(false)));
            for _ in 0..SATURATING {
                drop(TaskTracker::new().spawn(stream(&turns, &is_seen, &client, comes_at)));
            }
            server.recv(&mut [0]).await.unwrap();
            is_seen.store(true, Ordering::Relaxed);
            longest = longest.max(turns.load(Ordering::Relaxed) - comes_at);
        }
        longest
    }

    /// Takes turns until the request `is_seen`, which comes at the turn `comes_at` of all streams together.
    fn stream(
        turns: &Arc<AtomicU32>,
        is_seen: &Arc<AtomicBool>,
        client: &Arc<UnixDatagram>,
        comes_at: u32,
    ) -> impl Future<Output = ()> + use<> {
        let (turns, is_seen, client) = (Arc::clone(turns), Arc::clone(is_seen), Arc::clone(client));
        poll_fn(move |cx| {
            if is_seen.load(Ordering::Relaxed) {
                return Poll::Ready(());
            }
            if turns.fetch_add(1, Ordering::Relaxed) + 1 == comes_at {
                client.send(b"?").unwrap();
            }
            cx.waker().wake_by_ref();
            Poll::Pending
        })
    }
}
