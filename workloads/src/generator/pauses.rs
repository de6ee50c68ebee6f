//! Time in which nothing is invoked.

use std::time::Duration;

use elenchus_core::{Context, Generator, Invocation, Nanos, Poll};

/// Nothing, for so long from when it is first asked.
pub struct Sleep {
    span: Duration,
    end: Option<Nanos>,
}

impl Sleep {
    /// A pause.
    pub fn new(span: Duration) -> Sleep {
        Sleep { span, end: None }
    }
}

impl Generator for Sleep {
    fn poll(&mut self, context: &Context) -> Poll {
        let end = *self.end.get_or_insert(context.now + self.span);
        if context.now >= end { Poll::Done } else { Poll::At(end) }
    }

    fn take(&mut self, _: &Context) -> Invocation {
        unreachable!("a pause is never ready")
    }
}

/// Nothing, and a line in the log when it is reached.
pub struct Log {
    line: Option<String>,
}

impl Log {
    /// A line for the log.
    pub fn new(line: impl Into<String>) -> Log {
        Log { line: Some(line.into()) }
    }
}

impl Generator for Log {
    fn poll(&mut self, _: &Context) -> Poll {
        if let Some(line) = self.line.take() {
            tracing::info!("{line}");
        }
        Poll::Done
    }

    fn take(&mut self, _: &Context) -> Invocation {
        unreachable!("a log line is never ready")
    }
}
