//! A link between two nodes, which can be cut and healed.

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// A TCP proxy. When it is cut, it closes its connections and accepts no new ones.
pub(crate) struct Link {
    pub(crate) address: String,
    cut: watch::Sender<bool>,
}

impl Link {
    pub(crate) async fn to(target: String) -> Link {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let (cut, state) = watch::channel(false);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(carry(stream, target.clone(), state.clone()));
            }
        });
        Link { address, cut }
    }

    pub(crate) fn set_cut(&self, cut: bool) {
        self.cut.send_replace(cut);
    }
}

async fn carry(mut from: TcpStream, target: String, mut cut: watch::Receiver<bool>) {
    let forward = async {
        from.set_nodelay(true).unwrap();
        if let Ok(mut to) = TcpStream::connect(target).await {
            to.set_nodelay(true).unwrap();
            // Errors of a connection are reported by its endpoints.
            drop(copy_bidirectional(&mut from, &mut to).await);
        }
    };
    tokio::select! {
        biased;
        _ = cut.wait_for(|&cut| cut) => {}
        () = forward => {}
    }
}
