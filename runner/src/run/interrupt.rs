//! Ctrl-C, and the order to terminate.

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

/// Whether the user wants the run to end. The first signal asks for an orderly end; the second ends the process at once.
pub(super) struct Interrupt {
    wanted: watch::Receiver<bool>,
}

impl Interrupt {
    /// Listens from now on.
    pub(super) fn listen() -> Interrupt {
        let (want, wanted) = watch::channel(false);
        tokio::spawn(async move {
            let (Ok(mut interrupt), Ok(mut terminate)) = (signal(SignalKind::interrupt()), signal(SignalKind::terminate())) else {
                // Keeps the channel open, so that nobody takes its end for a wish.
                return want.closed().await;
            };
            either(&mut interrupt, &mut terminate).await;
            eprintln!("elenchus: ending the run; again to end at once, without healing");
            let _ = want.send(true);
            either(&mut interrupt, &mut terminate).await;
            std::process::exit(130);
        });
        Interrupt { wanted }
    }

    /// Waits until the run shall end.
    pub(super) async fn wait(&self) {
        let mut wanted = self.wanted.clone();
        if wanted.wait_for(|wanted| *wanted).await.is_err() {
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
