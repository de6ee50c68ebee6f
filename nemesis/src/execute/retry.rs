//! Repeating what may fail because of the fault that is being healed.

use std::time::Duration;

use crate::NemesisError;

const HEAL_TRIES: u32 = 3;

/// The pause between two tries to heal.
pub(super) const HEAL_PAUSE: Duration = Duration::from_secs(1);

/// Tries a few times: a node may be unreachable for a moment because of the fault that is being healed.
pub(super) async fn retry<T>(attempt: impl AsyncFn() -> Result<T, NemesisError>) -> Result<T, NemesisError> {
    for _ in 1..HEAL_TRIES {
        if let Ok(done) = attempt().await {
            return Ok(done);
        }
        tokio::time::sleep(HEAL_PAUSE).await;
    }
    attempt().await
}
