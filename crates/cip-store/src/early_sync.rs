//! Bytes of a large file that go to the disk while it is written: who makes them last in the end waits for few.

use std::fs::File;
use std::io;
use std::thread::JoinHandle;

/// Bytes that go to the disk at once.
const STEP: u64 = 64 << 20;

/// What is on its way.
#[derive(Debug, Default)]
pub(crate) struct EarlySync {
    /// Bytes up to which the file was, or is, on its way.
    upto: u64,
    running: Option<JoinHandle<io::Result<()>>>,
}

impl EarlySync {
    /// Is told how many bytes were written. One thread at a time sends what there is; where the system gives no thread or no other handle, the end waits longer.
    ///
    /// # Errors
    /// Those of the bytes sent before: the system says them once.
    pub(crate) fn written(&mut self, file: &File, bytes: u64) -> io::Result<()> {
        if bytes - self.upto < STEP || self.running.as_ref().is_some_and(|running| !running.is_finished()) {
            return Ok(());
        }
        self.finish()?;
        self.upto = bytes;
        let spawn = |file: File| std::thread::Builder::new().spawn(move || file.sync_data()).ok();
        self.running = file.try_clone().ok().and_then(spawn);
        Ok(())
    }

    /// Waits for what is on its way.
    ///
    /// # Errors
    /// As [`EarlySync::written`].
    pub(crate) fn finish(&mut self) -> io::Result<()> {
        match self.running.take().map(JoinHandle::join) {
            None => Ok(()),
            Some(Ok(result)) => result,
            Some(Err(_)) => Err(io::Error::other("the thread that synchronised the file died")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fails_on_its_way_is_said_in_the_end() {
        let folder = tempfile::tempdir().unwrap();
        let file = File::create(folder.path().join("f")).unwrap();
        let mut early = EarlySync::default();
        early.written(&file, STEP - 1).unwrap();
        assert!(early.running.is_none());
        early.written(&file, STEP).unwrap();
        assert_eq!(early.upto, STEP);
        early.finish().unwrap();
        // A pipe cannot be synchronised.
        let (_reader, pipe) = io::pipe().unwrap();
        early.written(&File::from(std::os::fd::OwnedFd::from(pipe)), 2 * STEP).unwrap();
        assert_eq!(early.finish().unwrap_err().kind(), io::ErrorKind::InvalidInput);
        early.finish().unwrap();
    }
}
