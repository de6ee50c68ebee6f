//! SIGINT and SIGTERM: the first ends the run in order, the second at once.

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

/// The exit status after a second signal: 128 + SIGINT.
const ABORTED: i32 = 130;

/// Whether the user has interrupted the run.
pub(super) struct Interrupt {
    requested: watch::Receiver<bool>,
}

impl Interrupt {
    /// Handles both signals from now on. The second one ends the process at once.
    pub(super) fn listen() -> Interrupt {
        let (request, requested) = watch::channel(false);
        tokio::spawn(async move {
            let (Ok(mut interrupt), Ok(mut terminate)) = (signal(SignalKind::interrupt()), signal(SignalKind::terminate())) else {
                // Keeps the channel open: `wait` must not take its end for a request.
                return request.closed().await;
            };
            either(&mut interrupt, &mut terminate).await;
            eprintln!("elenchus: ending the run; interrupt again to exit at once, without healing");
            let _ = request.send(true);
            either(&mut interrupt, &mut terminate).await;
            std::process::exit(ABORTED);
        });
        Interrupt { requested }
    }

    /// Waits until the run is to end.
    pub(super) async fn wait(&self) {
        let mut requested = self.requested.clone();
        if requested.wait_for(|requested| *requested).await.is_err() {
            std::future::pending().await
        }
    }
}

async fn either(interrupt: &mut Signal, terminate: &mut Signal) {
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
}
