//! Lines that are said again and again while something goes on.

use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

/// Says a line after each interval, until this is dropped.
pub(super) struct Lines {
    /// Dropped first, which ends the thread.
    end: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Lines {
    /// Has a thread say what there is to say. Where no thread can be had, nothing is said.
    pub(super) fn every(interval: Duration, mut say: impl FnMut() + Send + 'static) -> Self {
        let (end, ended) = channel();
        let thread = std::thread::Builder::new().name("progress".into()).spawn(move || {
            while ended.recv_timeout(interval) == Err(RecvTimeoutError::Timeout) {
                say();
            }
        });
        Self { end: Some(end), thread: thread.ok() }
    }
}

impl Drop for Lines {
    fn drop(&mut self) {
        self.end = None;
        if let Some(thread) = self.thread.take() {
            // One that panicked has said its last.
            _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_said_until_the_end_and_not_beyond() {
        let (say, said) = channel();
        let mut number = 0;
        let lines = Lines::every(Duration::from_millis(1), move || {
            number += 1;
            _ = say.send(number);
        });
        assert_eq!([said.recv(), said.recv()], [Ok(1), Ok(2)]);
        drop(lines);
        // The thread has let go of its end, so that this comes to one.
        assert!(said.iter().all(|number| number > 2));
    }

    #[test]
    fn who_ends_before_the_first_line_waits_for_none() {
        let lines = Lines::every(Duration::from_secs(3600), || unreachable!("an hour has not gone by"));
        drop(lines);
    }
}
