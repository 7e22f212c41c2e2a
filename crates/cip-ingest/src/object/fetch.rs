//! One object, and requests for its bytes that run while somebody else works.

use std::future::Future;
use std::io;
use std::ops::Range;
use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use object_store::path::Path;
use object_store::{GetOptions, GetRange, ObjectStore};
use tokio::task::AbortHandle;

use super::failure::Failure;
use super::reader::FIRST_RANGE;

/// The thread on which requests run.
///
/// Nobody waits inside of it, so an ingest may be called from a program's own asynchronous code.
#[derive(Debug)]
pub(super) struct Runtime(Option<tokio::runtime::Runtime>);

impl Runtime {
    pub(super) fn start() -> io::Result<Self> {
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        Ok(Self(Some(builder.worker_threads(1).thread_name("cip-objects").enable_all().build()?)))
    }

    /// Starts some requests.
    pub(super) fn spawn<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, Failure>> + Send + 'static,
    ) -> Pending<T> {
        let (sender, done) = mpsc::sync_channel(1);
        let task = self.0.as_ref().map(|runtime| {
            runtime.spawn(async move {
                // Nobody may wait for it any more.
                let _ = sender.send(work.await);
            })
        });
        Pending { done, task: task.map(|task| task.abort_handle()) }
    }
}

impl Drop for Runtime {
    fn drop(&mut self) {
        // Waiting for the thread is not allowed everywhere; what it still does ends at its next step.
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

/// What requests will give. They are given up when it is dropped.
#[derive(Debug)]
pub(super) struct Pending<T> {
    done: Receiver<Result<T, Failure>>,
    task: Option<AbortHandle>,
}

impl<T> Pending<T> {
    pub(super) fn wait(self) -> Result<T, Failure> {
        self.done.recv().unwrap_or_else(|_| Err(Failure::Other("a request was given up".to_owned())))
    }
}

impl<T> Drop for Pending<T> {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

/// An object whose length is known.
#[derive(Debug)]
pub(crate) struct Object {
    runtime: Arc<Runtime>,
    store: Arc<dyn ObjectStore>,
    version: Version,
    /// Its first bytes, where they were asked for before it is opened.
    first: Mutex<Option<Pending<Bytes>>>,
}

/// Which bytes are meant: those that the object had when it was found.
#[derive(Debug, Clone)]
pub(super) struct Version {
    pub(super) key: Path,
    pub(super) bytes: u64,
    pub(super) e_tag: Option<String>,
}

impl Object {
    pub(super) fn new(runtime: Arc<Runtime>, store: Arc<dyn ObjectStore>, version: Version) -> Self {
        Self { runtime, store, version, first: Mutex::new(None) }
    }

    pub(super) fn bytes(&self) -> u64 {
        self.version.bytes
    }

    /// Asks for a range, which is not empty.
    pub(super) fn ask(&self, range: Range<u64>) -> Pending<Bytes> {
        let (store, version) = (Arc::clone(&self.store), self.version.clone());
        self.runtime.spawn(async move { version.read(&*store, range).await.map(|(bytes, _)| bytes) })
    }

    /// Asks for the first bytes: somebody will open the object soon.
    pub(crate) fn expect(&self) {
        let mut first = self.first.lock().unwrap_or_else(PoisonError::into_inner);
        if first.is_none() && self.bytes() > 0 {
            *first = Some(self.ask(0..self.bytes().min(FIRST_RANGE)));
        }
    }

    pub(super) fn take_first(&self) -> Option<Pending<Bytes>> {
        self.first.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl Version {
    /// Reads a range, and returns the entity tag that came with it.
    pub(super) async fn read(
        &self,
        store: &dyn ObjectStore,
        range: Range<u64>,
    ) -> Result<(Bytes, Option<String>), Failure> {
        let length = range.end - range.start;
        let options = GetOptions {
            range: Some(GetRange::Bounded(range)),
            // By the standard, a weak tag never matches.
            if_match: self.e_tag.clone().filter(|tag| !tag.starts_with("W/")),
            ..GetOptions::default()
        };
        let answer = store.get_opts(&self.key, options).await?;
        let e_tag = answer.meta.e_tag.clone();
        // Not every store heeds the condition.
        if answer.meta.size != self.bytes || (self.e_tag.is_some() && e_tag != self.e_tag) {
            return Err(Failure::Changed);
        }
        let bytes = answer.bytes().await?;
        if bytes.len() as u64 != length {
            let found = bytes.len();
            return Err(Failure::Other(format!("{found} bytes came of the {length} asked for")));
        }
        Ok((bytes, e_tag))
    }
}
